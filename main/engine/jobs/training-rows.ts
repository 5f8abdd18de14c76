// The rows of a training job: planned once, then read and encoded step by step, and the rows it is judged by.

import { statSync } from "node:fs";
import type { AdapterNotes } from "../../../native-models/adapter/adapter-notes.ts";
import type { Tokenizer } from "../../../native-models/checkpoint/types.ts";
import { arrangeRows, batchByLength } from "../../../native-models/data/arrangement.ts";
import { plannedRow, planRows, type RowPlan } from "../../../native-models/data/plan.ts";
import { findSplits } from "../../../native-models/data/records/folder.ts";
import { openLikeRows, openRows } from "../../../native-models/data/rows/open.ts";
import type { RowSource } from "../../../native-models/data/rows/types.ts";
import { templateText } from "../../../native-models/data/template-text.ts";
import type { TrainRow } from "../../../native-models/programs/train-program.ts";
import type { RunRows } from "../../../native-models/training/memory-plan.ts";
import type { Emit } from "../events.ts";
import type { RowsReport, TrainResult } from "../job-results.ts";
import type { TrainJob } from "../train-jobs.ts";
import { pathHash } from "../file-hash.ts";
import { runRowsOf } from "./memory.ts";
import { jobTokenizer } from "./open-tokenizer.ts";
import { trackProgress } from "./progress.ts";
import { retentionRows, type RetentionRows } from "./retention-rows.ts";

export interface TrainingRows {
  steps: number;
  /** Tokens of the longest row, those of validation and retention included. */
  longest: number;
  counts: TrainResult["rows"];
  /** What became of every training row. */
  report: RowsReport;
  template: AdapterNotes;
  /** Names the training file's content. */
  hash: string;
  /** Sizes of micro-batches, for the memory plan. */
  sizes: RunRows;
  /** Micro-batches of a step (from 0), and the file's row numbers in it. */
  windowOf(step: number): Promise<{ rows: TrainRow[][]; numbers: number[] }>;
  validation: ValidationRows | null;
  /** With what names the content of their file. */
  retention: (RetentionRows & { hash: string }) | null;
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
  report: RowsReport;
  row: (position: number) => Promise<TrainRow>;
}

/** `maxPositions`: tokens that the model takes. */
export async function openTrainingRows(spec: TrainJob, maxPositions: number, emit: Emit, signal: AbortSignal): Promise<TrainingRows> {
  const tokenizer = jobTokenizer(spec.model, spec.chatTemplate);
  const opened: RowSource[] = [];
  const close = async (): Promise<void> => void (await Promise.all(opened.map((source) => source.close())));
  const planned = async (source: RowSource, what: string): Promise<PlannedRows> => {
    opened.push(source);
    return planSource(source, what, spec, tokenizer, emit, signal);
  };
  try {
    const { plan, report, row } = await planned(await openRows(spec.data, { mapping: spec.mapping ?? undefined, split: spec.split ?? undefined, signal }), "training");
    emit({ type: "rows", rows: report });
    const from = spec.validation?.from ?? null;
    const file = from !== null && "file" in from ? await planned(await openLikeRows(from.file, spec.mapping ?? null, await validationSplit(from.file)), "validation") : null;
    const { retention: asked, seed } = spec;
    const retention = asked && { ...(await retentionRows(asked, tokenizer, { seed, maxPositions })), hash: await pathHash(asked.questions) };
    const holdOut = from === null || "file" in from ? null : from;
    const { steps, windowOf, heldOut } = arrangeRows({ ...spec, lengths: plan.lengths, holdOut });
    const { kept, tooLong, empty } = plan.counts;
    const validated = file ?? (holdOut === null ? null : { plan, report, row });
    const positions = file ? Array.from(file.plan.rows.keys()) : Array.from(heldOut);
    return {
      steps,
      longest: Math.max(longestOf(plan), file ? longestOf(file.plan) : 0, retention?.longest ?? 0),
      counts: { kept, dropped: tooLong + empty, tooLong, empty },
      report,
      template: { template: spec.template, templateText: templateText(tokenizer, spec.template) },
      hash: await pathHash(spec.data),
      sizes: runRowsOf(plan, spec, { validation: file?.plan ?? null, retention }),
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
      retention,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function planSource(source: RowSource, what: string, { template, length, overLong }: TrainJob, tokenizer: Tokenizer, emit: Emit, signal: AbortSignal): Promise<PlannedRows> {
  for (const warning of source.warnings) emit({ type: "warning", warning });
  const progress = trackProgress({ emit, stage: `Reading ${what} rows`, unit: "rows", total: source.count });
  const plan = await planRows(source, tokenizer, { template, length, overLong }, { onProgress: progress, signal });
  const { counts, tokens, trainedTokens, histogram } = plan;
  const report: RowsReport = { counts, tokens, trainedTokens, histogram, length, overLong: plan.overLong, format: source.format, split: source.split };
  return { plan, report, row: (position) => plannedRow(source, tokenizer, plan, position) };
}

/** Of a dataset folder its own validation rows, where it has some. */
async function validationSplit(path: string): Promise<"validation" | null> {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return null;
  return (await findSplits(path)).validation === undefined ? null : "validation";
}

function longestOf({ lengths }: RowPlan): number {
  return lengths.reduce((most, length) => Math.max(most, length), 0);
}
