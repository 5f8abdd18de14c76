// Real rows as token chips, for people: what is trained, where the answer ends, what is cut or too long.

import type { Tokenizer } from "../../checkpoint/types.ts";
import { countTrained, encodeRow } from "../encode.ts";
import { fitRow, type Fate } from "../fit.ts";
import type { PlanSettings } from "../plan.ts";
import type { RowSource } from "./types.ts";

export interface TokenChip {
  text: string;
  /** The loss is taken here. */
  isTrained: boolean;
  /** End of text and the template's own marks. */
  isSpecial: boolean;
  /** Cut to fit the length: the model does not see it. */
  isCut: boolean;
}

export interface RowPreview {
  /** Row number in the file, from 0. */
  index: number;
  chips: TokenChip[];
  /** Before cutting. */
  tokens: number;
  trainedTokens: number;
  fate: Fate;
}

const mostChips = 4096;

export async function previewRows(source: RowSource, tokenizer: Tokenizer, settings: PlanSettings, range: { offset: number; limit: number }): Promise<RowPreview[]> {
  const { template, length, overLong = "drop" } = settings;
  const previews: RowPreview[] = [];
  for (let index = range.offset; index < Math.min(source.count, range.offset + range.limit); index++) {
    const encoded = encodeRow(await source.row(index), tokenizer, template);
    const { fate, cut } = fitRow(encoded, tokenizer, { length, overLong });
    const chips = Array.from(encoded.ids.subarray(0, mostChips), (id, i) => ({
      text: tokenizer.tokenText(id),
      isTrained: encoded.isTrained[i] === 1,
      isSpecial: tokenizer.decode([id]) === "",
      isCut: i >= cut.from && i < cut.from + cut.count,
    }));
    previews.push({ index, chips, tokens: encoded.ids.length, trainedTokens: countTrained(encoded), fate });
  }
  return previews;
}
