// The rows of a training job: planned once, then read and encoded step by step, and the rows it is validated on.

import { openTokenizer } from "../../../native-models/checkpoint/tokenizer.ts";
import type { Tokenizer } from "../../../native-models/checkpoint/types.ts";
import { arrangeRows, batchByLength } from "../../../native-models/data/arrangement.ts";
import { plannedRow, planRows, type RowPlan } from "../../../native-models/data/plan.ts";
import { openRows } from "../../../native-models/data/rows/open.ts";
import type { RowSource } from "../../../native-models/data/rows/types.ts";
import type { TrainRow } from "../../../native-models/programs/train-program.ts";
import type { RunRows } from "../../../native-models/training/memory-plan.ts";
import type { Emit } from "../events.ts";
import type { TrainJob, TrainResult } from "../jobs.ts";
import { pathHash } from "./file-hash.ts";
import { runRowsOf } from "./memory.ts";
import { trackProgress } from "./progress.ts";

export interface TrainingRows {
  steps: number;
  /** Tokens of the longest row, validation rows included. */
  longest: number;
  counts: TrainResult["rows"];
  /** Names the training file's content. */
  hash: string;
  /** Sizes of micro-batches, for the memory plan. */
  sizes: RunRows;
  /** Micro-batches of a step (from 0), and the file's row numbers in it. */
  windowOf(step: number): Promise<{ rows: TrainRow[][]; numbers: number[] }>;
  validation: ValidationRows | null;
  close(): Promise<void>;
}

export interface ValidationRows {
  count: number;
  /** Names the validation file's content; null where the rows are held out of the training file. */
  hash: string | null;
  /** All rows, in the same micro-batches each time. */
  microBatches(): AsyncGenerator<TrainRow[]>;
}

interface PlannedRows {
  plan: RowPlan;
  row: (position: number) => Promise<TrainRow>;
}

export async function openTrainingRows(spec: TrainJob, emit: Emit, signal: AbortSignal): Promise<TrainingRows> {
  const tokenizer = openTokenizer(spec.model);
  const opened: RowSource[] = [];
  const close = async (): Promise<void> => void (await Promise.all(opened.map((source) => source.close())));
  const open = (path: string, what: string): Promise<PlannedRows> => planFile(path, what, spec, tokenizer, emit, signal, (source) => opened.push(source));
  try {
    const { plan, row } = await open(spec.data, "training");
    const from = spec.validation?.from ?? null;
    const file = from !== null && "file" in from ? await open(from.file, "validation") : null;
    const holdOut = from === null || "file" in from ? null : from;
    const { steps, windowOf, heldOut } = arrangeRows({ ...spec, lengths: plan.lengths, holdOut });
    const { kept, tooLong, empty } = plan.counts;
    const validated = file ?? (holdOut === null ? null : { plan, row });
    const positions = file ? Array.from(file.plan.rows.keys()) : Array.from(heldOut);
    return {
      steps,
      longest: Math.max(longestOf(plan), file ? longestOf(file.plan) : 0),
      counts: { kept, dropped: tooLong + empty, tooLong, empty },
      hash: await pathHash(spec.data),
      sizes: runRowsOf(plan, spec, file?.plan ?? null),
      async windowOf(step) {
        const microBatches = windowOf(step);
        const rows = await Promise.all(microBatches.map((batch) => Promise.all(batch.map(row))));
        return { rows, numbers: microBatches.flat().map((position) => plan.rows[position]!) };
      },
      validation: validated && {
        count: positions.length,
        hash: from !== null && "file" in from ? await pathHash(from.file) : null,
        async *microBatches() {
          for (const batch of batchByLength(positions, validated.plan.lengths, spec.batch)) yield await Promise.all(batch.map(validated.row));
        },
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function planFile(path: string, what: string, { template, length }: TrainJob, tokenizer: Tokenizer, emit: Emit, signal: AbortSignal, onOpen: (source: RowSource) => void): Promise<PlannedRows> {
  const source = await openRows(path);
  onOpen(source);
  for (const warning of source.warnings) emit({ type: "warning", warning });
  const report = trackProgress({ emit, stage: `Reading ${what} rows`, unit: "rows", total: source.count });
  const plan = await planRows(source, tokenizer, { template, length }, { onProgress: report, signal });
  return { plan, row: (position) => plannedRow(source, tokenizer, plan, position) };
}

function longestOf({ lengths }: RowPlan): number {
  return lengths.reduce((most, length) => Math.max(most, length), 0);
}
