// Calibration windows of a task: the prompts of training rows, as training writes them, one after the other, cut into
// samples of equal length. In: rows, tokenizer, template, how many samples of how many tokens. Out: ids for the Gram
// pass. Rows are taken in an order that follows from the seed, until there are enough tokens. A row without a prompt
// (plain text) gives its text.

import type { Tokenizer } from "../checkpoint/types.ts";
import { UserError } from "../errors.ts";
import { requireWindows, type CalibrationWindows } from "./calibration-text.ts";
import { encodeRows, type EncodedRow, type TemplateName } from "./encode.ts";
import { seededRandom } from "./random.ts";
import type { RowSource } from "./rows/types.ts";

interface PromptSettings {
  template: TemplateName;
  samples: number;
  length: number;
  seed: number;
}

/** Rows encoded between two looks at the signal. */
const rowsAtOnce = 32;

export async function promptWindows(source: RowSource, tokenizer: Tokenizer, { template, samples, length, seed }: PromptSettings, signal?: AbortSignal): Promise<CalibrationWindows> {
  const needed = requireWindows(samples, length);
  const order = seededRandom(seed).shuffle(Int32Array.from({ length: source.count }, (_, i) => i));
  const ids: number[] = [];
  for (let from = 0; from < order.length && ids.length < needed; from += rowsAtOnce) {
    signal?.throwIfAborted();
    const rows = await Promise.all(Array.from(order.subarray(from, from + rowsAtOnce), (index) => source.row(index)));
    for (const row of encodeRows(rows, tokenizer, template)) ids.push(...promptOf(row));
  }
  if (ids.length === 0) throw new UserError({ what: "The training rows hold no text.", where: source.path, fix: "Choose a file with rows." });
  const isShort = ids.length < needed;
  return {
    ids: Int32Array.from({ length: needed }, (_, i) => ids[i % ids.length]!),
    samples,
    length,
    textTokens: ids.length,
    warnings: isShort ? [{
      what: `The prompts of all ${source.count} rows hold ${ids.length} tokens, but ${samples} × ${length} = ${needed} were asked for; they are used ${(needed / ids.length).toFixed(1)} times over.`,
      where: "calibrate: samples, length",
      fix: "Give more rows, or take fewer or shorter samples.",
    }] : [],
  };
}

/** The tokens before the first answer. */
function promptOf({ ids, isTrained }: EncodedRow): Int32Array {
  const answer = isTrained.indexOf(1);
  return answer > 1 ? ids.subarray(0, answer) : ids;
}
