// Which rows each optimizer step trains on. Everything follows from the seed and the step number, so that resuming
// needs no state: position p of the endless stream of rows is row (p mod n) of epoch ⌊p/n⌋'s permutation.
// Rows of one step are sorted by length before they are parted into micro-batches: less padding, the same sum.

import { seededRandom } from "./random.ts";

export interface BatchSettings {
  /** Tokens of each row; its length is the number of rows. */
  lengths: ArrayLike<number>;
  /** Rows in a micro-batch. */
  batch: number;
  /** Micro-batches in a step. */
  accumulate: number;
  seed: number;
  /** Ends the stream after this many passes: the last step then has fewer rows. Null: it never ends. */
  epochs: number | null;
}

export interface Window {
  /** Epoch of the first row, from 0. */
  epoch: number;
  /** Row numbers; longest micro-batch first. */
  microBatches: number[][];
}

export interface Batches {
  /** Steps in all, or null without end. */
  steps: number | null;
  stepsPerEpoch: number;
  /** The rows of `step`, from 0. */
  windowOf(step: number): Window;
}

export function makeBatches({ lengths, batch, accumulate, seed, epochs }: BatchSettings): Batches {
  const rows = lengths.length;
  const rowsPerStep = batch * accumulate;
  if (!(rows >= 1 && Number.isInteger(batch) && batch >= 1 && Number.isInteger(accumulate) && accumulate >= 1)) {
    throw new RangeError(`batches of ${batch} × ${accumulate} from ${rows} rows`);
  }
  const lastRow = epochs === null ? Infinity : Math.round(epochs * rows); // epochs may be a fraction
  const permutations = new Map<number, Int32Array>();

  function permutation(epoch: number): Int32Array {
    const known = permutations.get(epoch);
    if (known !== undefined) return known;
    const order = seededRandom(seed, epoch).shuffle(Int32Array.from({ length: rows }, (_, i) => i));
    if (permutations.size >= 2) permutations.delete(permutations.keys().next().value!); // a step spans two epochs, rarely more
    permutations.set(epoch, order);
    return order;
  }

  return {
    steps: epochs === null ? null : Math.ceil(lastRow / rowsPerStep),
    stepsPerEpoch: Math.ceil(rows / rowsPerStep),
    windowOf(step) {
      const start = step * rowsPerStep;
      const end = Math.min(start + rowsPerStep, lastRow);
      if (!Number.isInteger(step) || step < 0 || start >= end) throw new RangeError(`step ${step} is outside the run`);
      const chosen: number[] = [];
      for (let p = start; p < end; p++) chosen.push(permutation(Math.floor(p / rows))[p % rows]!);
      chosen.sort((a, b) => lengths[b]! - lengths[a]! || a - b);
      const microBatches: number[][] = [];
      for (let i = 0; i < chosen.length; i += batch) microBatches.push(chosen.slice(i, i + batch));
      return { epoch: Math.floor(start / rows), microBatches };
    },
  };
}
