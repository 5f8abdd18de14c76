// Parts the rows of a training set into rows to train on and rows to validate on. Which are which follows from the seed
// alone, so a resumed run parts them in the same way.

import { UserError } from "../errors.ts";
import { seededRandom } from "./random.ts";

/** Exactly one of the two: a number of rows, or a share of them (rounded, at least one row). */
export type SplitSize = { rows: number } | { share: number };

export interface RowSplit {
  /** Positions in the plan, ascending; no position is in both. */
  training: Int32Array;
  validation: Int32Array;
}

/** A stream of the seed's own: epochs use the streams 0, 1, 2, … */
const splitStream = 2 ** 40;

export function splitRows(count: number, size: SplitSize, seed: number): RowSplit {
  const wanted = "rows" in size ? size.rows : Math.max(1, Math.round(size.share * count));
  if (wanted < 1 || wanted >= count) {
    throw new UserError({
      what: `${"rows" in size ? `${size.rows} validation rows` : `A validation share of ${size.share}`} would leave nothing to train on: there are ${count} rows to part.`,
      where: "validation",
      fix: "Take fewer rows for validation, or give a validation file of its own.",
    });
  }
  const order = seededRandom(seed, splitStream).shuffle(Int32Array.from({ length: count }, (_, i) => i));
  return { validation: order.slice(0, wanted).sort(), training: order.slice(wanted).sort() };
}
