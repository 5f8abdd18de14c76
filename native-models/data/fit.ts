// One encoded row within the length limit: kept as it is, with a cut prompt, or left out.

import type { Tokenizer } from "../checkpoint/types.ts";
import { countTrained, type EncodedRow } from "./encode.ts";

export const overLongChoices = ["drop", "cut-prompt", "refuse"] as const;
/** drop: leave the row out. cut-prompt: keep its answer and the end of its prompt. refuse: do not start. */
export type OverLong = (typeof overLongChoices)[number];

export interface FitSettings {
  /** Most tokens a row may have. */
  length: number;
  overLong: OverLong;
}

/** cut: kept, but the beginning of its prompt is not. empty: nothing to train on. */
export type Fate = "kept" | "cut" | "too-long" | "empty";

export interface Fitted {
  fate: Fate;
  /** The row as it is trained on; null where it is left out. */
  row: EncodedRow | null;
  /** Tokens that are cut: from `from` up to `from + count`. */
  cut: { from: number; count: number };
}

/** A cut prompt keeps at least this many of its last tokens; a row whose answer leaves less room is dropped. */
export const leastPromptTokens = 8;
const nothing = { from: 0, count: 0 };

export function fitRow(row: EncodedRow, tokenizer: Pick<Tokenizer, "addsBos" | "bosId">, { length, overLong }: FitSettings): Fitted {
  if (countTrained(row) === 0) return { fate: "empty", row: null, cut: nothing };
  const excess = row.ids.length - length;
  if (excess <= 0) return { fate: "kept", row, cut: nothing };
  // A model that expects BOS at the beginning keeps it there.
  const from = tokenizer.addsBos && row.ids[0] === tokenizer.bosId ? 1 : 0;
  const promptTokens = row.isTrained.indexOf(1);
  if (overLong !== "cut-prompt" || promptTokens - from - excess < leastPromptTokens) return { fate: "too-long", row: null, cut: nothing };
  const rest = <T extends Int32Array | Uint8Array>(values: T): T => values.filter((_, i) => i < from || i >= from + excess) as T;
  return { fate: "cut", row: { ids: rest(row.ids), isTrained: rest(row.isTrained) }, cut: { from, count: excess } };
}
