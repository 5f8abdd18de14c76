// Rows whose keys and values are still there after their answers: what begins like one of them goes on from it, so that a
// conversation's next turn computes its new tokens only.

import { commonLength } from "../data/common-prefix.ts";
import type { KeyValueCache } from "./cache.ts";

export interface HeldRow {
  /** Tokens that the cache holds, from the row's beginning. */
  ids: readonly number[];
  adapter: number | null;
}

/** Good for the adapters that it was made with, as they were fed. */
export interface HeldRows {
  cache: KeyValueCache;
  /** Row i in slot i. */
  rows: readonly HeldRow[];
}

/**
 * Copies for each row the longest beginning that is held into its slot, all but its last token at the most: that one is
 * computed, for what follows it. Returns the tokens copied, row by row.
 */
export function resumeRows(rows: readonly HeldRow[], held: HeldRows, cache: KeyValueCache): number[] {
  const found = rows.map((row) => longestHeld(row, held));
  cache.reserve(Math.max(...found.map(({ length }) => length)));
  found.forEach(({ slot, length }, to) => {
    if (length > 0) cache.copy(held.cache, slot, to, length);
  });
  return found.map(({ length }) => length);
}

function longestHeld({ ids, adapter }: HeldRow, { rows }: HeldRows): { slot: number; length: number } {
  let best = { slot: 0, length: 0 };
  rows.forEach((row, slot) => {
    const length = row.adapter === adapter ? Math.min(commonLength(row.ids, ids), ids.length - 1) : 0;
    if (length > best.length) best = { slot, length };
  });
  return best;
}
