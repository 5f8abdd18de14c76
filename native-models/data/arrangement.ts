// How the rows of a plan are used: which are held out, and which stand together in each step's micro-batches.
// In: lengths of the planned rows and the run's settings. Out: positions in the plan; all of it follows from the seed.

import { makeBatches, type BatchSettings } from "./batches.ts";
import { splitRows, type SplitSize } from "./split.ts";

export interface ArrangementSettings extends BatchSettings {
  /** Optimizer steps; null: as many as `epochs` passes take. */
  steps: number | null;
  /** Rows held out for validation; null: none. */
  holdOut: SplitSize | null;
}

export interface Arrangement {
  steps: number;
  /** Micro-batches of step `step` (from 0). */
  windowOf(step: number): number[][];
  /** Positions that are not trained on; empty where none are held out. */
  heldOut: Int32Array;
}

export function arrangeRows({ lengths, steps, epochs, holdOut, ...settings }: ArrangementSettings): Arrangement {
  const { training, validation } = holdOut === null ? { training: null, validation: new Int32Array(0) } : splitRows(lengths.length, holdOut, settings.seed);
  const trained = training === null ? lengths : Int32Array.from(training, (position) => lengths[position]!);
  const batches = makeBatches({ ...settings, lengths: trained, epochs: steps === null ? (epochs ?? 1) : null });
  return {
    steps: steps ?? batches.steps ?? 0,
    heldOut: validation,
    windowOf(step) {
      const { microBatches } = batches.windowOf(step);
      return training === null ? microBatches : microBatches.map((batch) => batch.map((at) => training[at]!));
    },
  };
}

/** Positions in micro-batches of like lengths, longest first. */
export function batchByLength(positions: ArrayLike<number>, lengths: ArrayLike<number>, batch: number): number[][] {
  const sorted = Array.from(positions).sort((a, b) => lengths[b]! - lengths[a]! || a - b);
  return Array.from({ length: Math.ceil(sorted.length / batch) }, (_, i) => sorted.slice(i * batch, (i + 1) * batch));
}
