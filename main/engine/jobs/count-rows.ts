// A look at a training set: its format and first rows at once, then what becomes of every row, counted while it is read.
// In: a file of any size. Out: events as they are known; memory stays at a few integers a row.

import { statSync } from "node:fs";
import type { Tokenizer } from "../../../native-models/checkpoint/types.ts";
import { countRows, type PlanSettings } from "../../../native-models/data/plan.ts";
import { refusalOf } from "../../../native-models/data/row-tally.ts";
import { inspectRows, type RowsLook } from "../../../native-models/data/rows/inspect.ts";
import { openRows, type RowOptions } from "../../../native-models/data/rows/open.ts";
import { previewRows, type RowPreview } from "../../../native-models/data/rows/preview.ts";
import { viewTemplate } from "../../../native-models/data/template-text.ts";
import { UserError, type ErrorParts } from "../../../native-models/errors.ts";
import type { Emit } from "../events.ts";
import type { CountRowsJob } from "../train-jobs.ts";
import type { CountRowsResult } from "../job-results.ts";
import { jobTokenizer } from "./open-tokenizer.ts";
import { trackProgress } from "./progress.ts";

const accountEveryMs = 400;

export async function runCountRows(spec: CountRowsJob, emit: Emit, signal: AbortSignal): Promise<CountRowsResult> {
  const tokenizer = jobTokenizer(spec.model, spec.chatTemplate);
  const settings: PlanSettings = { template: spec.template, length: spec.length, overLong: spec.overLong };
  const options: RowOptions = { mapping: spec.mapping ?? undefined, split: spec.split ?? undefined, signal };
  const look = await inspectRows(spec.data, options);
  signal.throwIfAborted();
  const { rows, problem } = await shownRows(spec, look, tokenizer, settings, options);
  emit({ type: "rows-head", head: { ...look, problem, template: viewTemplate(tokenizer, spec.template), rows } });
  if (!spec.isCountWanted || problem !== null) return { kind: "count-rows", counted: null };
  return { kind: "count-rows", counted: await countAll(spec, tokenizer, settings, options, emit, signal) };
}

/** The rows asked for; a row that cannot be taken as the format says is a problem to show beside the columns. */
async function shownRows(spec: CountRowsJob, look: RowsLook, tokenizer: Tokenizer, settings: PlanSettings, options: RowOptions): Promise<{ rows: RowPreview[]; problem: ErrorParts | null }> {
  if (look.format === null) return { rows: [], problem: look.problem };
  try {
    const source = await openRows(spec.data, { ...options, most: spec.offset + spec.limit });
    try {
      return { rows: await previewRows(source, tokenizer, settings, spec), problem: null };
    } finally {
      await source.close();
    }
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { rows: [], problem: error.parts };
  }
}

async function countAll(spec: CountRowsJob, tokenizer: Tokenizer, settings: PlanSettings, options: RowOptions, emit: Emit, signal: AbortSignal): Promise<CountRowsResult["counted"]> {
  const source = await openWhole(spec.data, options, emit);
  try {
    const report = trackProgress({ emit, stage: "Counting rows", unit: "rows", total: source.count });
    let toldMs = performance.now();
    const plan = await countRows(source, tokenizer, settings, {
      signal,
      onProgress(done, _total, account) {
        report(done);
        if (performance.now() - toldMs < accountEveryMs) return;
        emit({ type: "rows-account", account: account() });
        toldMs = performance.now();
      },
    });
    const { template: _, rows: __, lengths, trained, shared, ...account } = plan;
    return { account, refusal: refusalOf(account, spec.data)?.parts ?? null, lengths, trained, shared };
  } finally {
    await source.close();
  }
}

/** Opens all rows; finding where each begins takes a second or two a gigabyte. */
async function openWhole(path: string, options: RowOptions, emit: Emit) {
  const file = statSync(path);
  const report = trackProgress({ emit, stage: "Finding the rows", unit: "bytes", total: file.isFile() ? file.size : 0 });
  let bytes = 0;
  return openRows(path, {
    ...options,
    onBytes(read) {
      bytes += read;
      report(bytes);
    },
  });
}
