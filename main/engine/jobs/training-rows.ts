// The rows of a training job: planned once, then read and encoded step by step.

import { openTokenizer } from "../../../native-models/checkpoint/tokenizer.ts";
import { makeBatches } from "../../../native-models/data/batches.ts";
import { plannedRow, planRows } from "../../../native-models/data/plan.ts";
import { openRows } from "../../../native-models/data/rows/open.ts";
import type { TrainRow } from "../../../native-models/programs/train-program.ts";
import type { Emit } from "../events.ts";
import type { TrainJob, TrainResult } from "../jobs.ts";
import { pathHash } from "./file-hash.ts";
import { trackProgress } from "./progress.ts";

export interface TrainingRows {
  steps: number;
  /** Tokens of the longest row. */
  longest: number;
  counts: TrainResult["rows"];
  /** Names the training file's content. */
  hash: string;
  /** Micro-batches of a step (from 0), and the file's row numbers in it. */
  windowOf(step: number): Promise<{ rows: TrainRow[][]; numbers: number[] }>;
  close(): Promise<void>;
}

export async function openTrainingRows(spec: TrainJob, emit: Emit, signal: AbortSignal): Promise<TrainingRows> {
  const tokenizer = openTokenizer(spec.model);
  const source = await openRows(spec.data);
  try {
    for (const warning of source.warnings) emit({ type: "warning", warning });
    const report = trackProgress({ emit, stage: "Reading training rows", unit: "rows", total: source.count });
    const plan = await planRows(source, tokenizer, { template: spec.template, length: spec.length }, { onProgress: report, signal });
    const { kept, tooLong, empty } = plan.counts;
    const batches = makeBatches({ lengths: plan.lengths, batch: spec.batch, accumulate: spec.accumulate, seed: spec.seed, epochs: spec.steps === null ? (spec.epochs ?? 1) : null });
    return {
      steps: spec.steps ?? batches.steps ?? 0,
      longest: plan.lengths.reduce((most, length) => Math.max(most, length), 0),
      counts: { kept, dropped: tooLong + empty, tooLong, empty },
      hash: await pathHash(spec.data),
      async windowOf(step) {
        const { microBatches } = batches.windowOf(step);
        const rows = await Promise.all(microBatches.map((batch) => Promise.all(batch.map((position) => plannedRow(source, tokenizer, plan, position)))));
        return { rows, numbers: microBatches.flat().map((position) => plan.rows[position]) };
      },
      close: () => source.close(),
    };
  } catch (error) {
    await source.close();
    throw error;
  }
}
