// Real rows as token chips, for people: what is trained, where the answer ends, what is too long.

import type { Tokenizer } from "../../checkpoint/types.ts";
import { countTrained, encodeRow } from "../encode.ts";
import type { PlanSettings } from "../plan.ts";
import type { RowSource } from "./types.ts";

export interface TokenChip {
  text: string;
  /** The loss is taken here. */
  isTrained: boolean;
  /** End of text and the template's own marks. */
  isSpecial: boolean;
}

export interface RowPreview {
  index: number;
  chips: TokenChip[];
  tokens: number;
  trainedTokens: number;
  isTooLong: boolean;
}

const mostChips = 4096;

export async function previewRows(source: RowSource, tokenizer: Tokenizer, settings: PlanSettings, range: { offset: number; limit: number }): Promise<RowPreview[]> {
  const previews: RowPreview[] = [];
  for (let index = range.offset; index < Math.min(source.count, range.offset + range.limit); index++) {
    const encoded = encodeRow(await source.row(index), tokenizer, settings.template);
    const chips = Array.from(encoded.ids.subarray(0, mostChips), (id, i) => ({
      text: tokenizer.tokenText(id),
      isTrained: encoded.isTrained[i] === 1,
      isSpecial: tokenizer.decode([id]) === "",
    }));
    previews.push({ index, chips, tokens: encoded.ids.length, trainedTokens: countTrained(encoded), isTooLong: encoded.ids.length > settings.length });
  }
  return previews;
}
