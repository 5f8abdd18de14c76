// The memory of a training: its rows as the planner wants them, and what the machine has.

import { freemem } from "node:os";
import { arrangeRows, batchByLength } from "../../../native-models/data/arrangement.ts";
import { heaviestMicroBatches, heaviestOf, type RowSize } from "../../../native-models/training/heaviest.ts";
import type { RunRows } from "../../../native-models/training/memory-plan.ts";
import type { TrainJob } from "../train-jobs.ts";
import type { RetentionRows } from "./retention-rows.ts";

export interface SizedRows {
  /** Tokens of each row, and how many of them are trained. */
  lengths: Int32Array;
  trained: Int32Array;
  /** Tokens that all rows begin with: they are computed once a micro-batch. */
  shared: number;
}

export type Stepping = Pick<TrainJob, "steps" | "epochs" | "seed" | "validation">;

/** Rows beside the training rows. */
export interface JudgingRows {
  /** Those of a validation file, where they are known; else they count as like the training rows. */
  validation: SizedRows | null;
  retention: RetentionRows | null;
}

export function runRowsOf({ lengths, trained, shared }: SizedRows, { steps, epochs, seed, validation }: Stepping, beside: JudgingRows): RunRows {
  const validationRows = beside.validation;
  const holdOut = validation === null || "file" in validation.from ? null : validation.from;
  const arranged = ({ batch, accumulate, length }: Parameters<RunRows["training"]>[0]) => {
    const kept = Array.from(lengths.keys()).filter((position) => lengths[position]! <= length);
    const sizeOf = (at: number): RowSize => ({ tokens: lengths[kept[at]!]!, trained: trained[kept[at]!]!, shared });
    if (kept.length < (holdOut === null ? 1 : 2)) return null;
    const keptLengths = kept.map((position) => lengths[position]!);
    return { sizeOf, keptLengths, arrangement: arrangeRows({ lengths: keptLengths, batch, accumulate, seed, steps, epochs, holdOut }) };
  };
  const training: RunRows["training"] = (settings) => {
    const run = arranged(settings);
    return run ? heaviestMicroBatches(run.arrangement.steps, run.arrangement.windowOf, run.sizeOf) : [];
  };
  const heldOut: RunRows["training"] = (settings) => {
    const run = arranged(settings);
    return run ? heaviestOf(batchByLength(run.arrangement.heldOut, run.keptLengths, settings.batch), run.sizeOf) : [];
  };
  const ofFile = (rows: SizedRows): RunRows["training"] => ({ batch, length }) => {
    const kept = Array.from(rows.lengths.keys()).filter((position) => rows.lengths[position]! <= length);
    return heaviestOf(batchByLength(kept, rows.lengths, batch), (position) => ({ tokens: rows.lengths[position]!, trained: rows.trained[position]!, shared: rows.shared }));
  };
  const retention: RunRows["retention"] = beside.retention?.heaviest ?? null;
  return { training, retention, validation: validation === null ? null : holdOut !== null ? heldOut : validationRows ? ofFile(validationRows) : training };
}

/** What training or calibration may take: what the job says, else what the machine has free (with a container's limit). */
export function availableBytes(memoryBytes: number | null): number {
  return memoryBytes ?? Math.min(freemem(), process.availableMemory());
}

/** The most that this process has held so far. */
export function peakBytes(): number {
  return process.resourceUsage().maxRSS * 1024;
}
