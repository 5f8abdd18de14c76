// Looks at every row of a training set before training: lengths, what is kept, cut and dropped, and why.
// In: a RowSource, tokenizer, template, length limit. Out: the rows to train on and the numbers to show and to store.
// Rows are streamed; what stays in memory is three integers a kept row.

import { setImmediate as yieldToOthers } from "node:timers/promises";
import type { Tokenizer } from "../checkpoint/types.ts";
import { UserError } from "../errors.ts";
import { countTrained, encodeRow, encodeRows, type EncodedRow, type TemplateName } from "./encode.ts";
import { histogramOf, type LengthHistogram } from "./histogram.ts";
import type { RowSource, TrainingRow } from "./rows/types.ts";

/** drop: leave the row out. cut-prompt: keep its answer and the end of its prompt. refuse: do not start. */
export type OverLong = "drop" | "cut-prompt" | "refuse";

export interface PlanSettings {
  template: TemplateName;
  /** Most tokens a row may have. */
  length: number;
  /** Default: drop. */
  overLong?: OverLong;
}

export interface DropReason {
  reason: string;
  count: number;
  /** First row it happened to, from 0. */
  exampleRow: number;
}

export interface RowPlan {
  template: TemplateName;
  length: number;
  overLong: OverLong;
  /** Row numbers in the source, ascending. */
  rows: Int32Array;
  /** Tokens of each kept row, after cutting. */
  lengths: Int32Array;
  /** Trained tokens of each kept row. */
  trained: Int32Array;
  /** total = kept + tooLong + empty; cut rows are among the kept. */
  counts: { total: number; kept: number; cut: number; tooLong: number; empty: number; reasons: DropReason[] };
  /** Of the kept rows. */
  tokens: number;
  trainedTokens: number;
  /** Of all rows, before cutting. */
  histogram: LengthHistogram;
}

export interface PlanOptions {
  onProgress?: (done: number, total: number) => void;
  signal?: AbortSignal;
}

/** A cut prompt keeps at least this many of its last tokens; a row whose answer leaves less room is dropped. */
export const leastPromptTokens = 8;
/** Rows encoded between two looks at the signal and at other work. */
const rowsAtOnce = 32;

export async function planRows(source: RowSource, tokenizer: Tokenizer, settings: PlanSettings, options: PlanOptions = {}): Promise<RowPlan> {
  const { template, length, overLong = "drop" } = settings;
  const rows: number[] = [];
  const lengths: number[] = [];
  const trained: number[] = [];
  const lengthCounts = new Map<number, number>();
  const reasons = new Map<string, DropReason>();
  const counts = { total: 0, kept: 0, cut: 0, tooLong: 0, empty: 0 };
  let [tokens, trainedTokens] = [0, 0];

  const note = (reason: string, row: number) => {
    const seen = reasons.get(reason);
    if (seen === undefined) reasons.set(reason, { reason, count: 1, exampleRow: row });
    else seen.count += 1;
  };

  for await (const batch of inBatches(source, rowsAtOnce)) {
    options.signal?.throwIfAborted();
    options.onProgress?.(counts.total, source.count);
    await yieldToOthers();
    for (const [i, encoded] of encodeNamed(batch, tokenizer, template).entries()) {
      const { index } = batch[i]!;
      const fitted = fitRow(encoded, length, overLong);
      counts.total += 1;
      lengthCounts.set(encoded.ids.length, (lengthCounts.get(encoded.ids.length) ?? 0) + 1);
      if (countTrained(encoded) === 0) {
        counts.empty += 1;
        note("nothing to train on: no answer, or an empty one", index);
        continue;
      }
      if (fitted === null) {
        counts.tooLong += 1;
        note(overLong === "cut-prompt" ? `its answer alone leaves no room for a prompt in ${length} tokens` : `longer than ${length} tokens`, index);
        continue;
      }
      counts.kept += 1;
      if (fitted.ids.length < encoded.ids.length) {
        counts.cut += 1;
        note(`kept, but its prompt was cut to fit ${length} tokens`, index);
      }
      rows.push(index);
      lengths.push(fitted.ids.length);
      trained.push(countTrained(fitted));
      tokens += fitted.ids.length;
      trainedTokens += trained[trained.length - 1]!;
    }
  }
  options.onProgress?.(counts.total, counts.total);

  const histogram = histogramOf(lengthCounts);
  if (overLong === "refuse" && counts.tooLong > 0) throw refuseLong(source.path, counts, length, histogram.longestTokens);
  if (trainedTokens === 0) throw refuseEmpty(source.path, counts, length);
  return { template, length, overLong, rows: Int32Array.from(rows), lengths: Int32Array.from(lengths), trained: Int32Array.from(trained), counts: { ...counts, reasons: [...reasons.values()] }, tokens, trainedTokens, histogram };
}

type PlacedRow = { index: number; place: string; row: TrainingRow };

async function* inBatches(source: RowSource, size: number): AsyncGenerator<PlacedRow[]> {
  let batch: PlacedRow[] = [];
  for await (const row of source.rows()) {
    batch.push(row);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** A row that cannot be encoded is named by its place in the file. */
function encodeNamed(batch: readonly PlacedRow[], tokenizer: Tokenizer, template: TemplateName): EncodedRow[] {
  try {
    return encodeRows(batch.map(({ row }) => row), tokenizer, template);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return batch.map(({ row, place }) => {
      try {
        return encodeRow(row, tokenizer, template);
      } catch (cause) {
        throw cause instanceof UserError ? new UserError({ ...cause.parts, where: `${place}: ${cause.where}` }, { cause }) : cause;
      }
    });
  }
}

/** The row as it is trained on within `length` tokens, or null where it is left out. */
export function fitRow(row: EncodedRow, length: number, overLong: OverLong): EncodedRow | null {
  const excess = row.ids.length - length;
  if (excess <= 0) return row;
  if (overLong !== "cut-prompt") return null;
  const promptTokens = row.isTrained.indexOf(1);
  if (promptTokens - excess < leastPromptTokens) return null;
  return { ids: row.ids.slice(excess), isTrained: row.isTrained.slice(excess) };
}

/** The kept row at `position` of the plan, encoded as it was planned. */
export async function plannedRow(source: RowSource, tokenizer: Tokenizer, plan: RowPlan, position: number): Promise<EncodedRow> {
  const index = plan.rows[position];
  if (index === undefined) throw new RangeError(`row ${position} of ${plan.rows.length} planned`);
  const fitted = fitRow(encodeRow(await source.row(index), tokenizer, plan.template), plan.length, plan.overLong);
  if (fitted !== null && fitted.ids.length === plan.lengths[position]) return fitted;
  throw new UserError({
    what: `Row ${index + 1} is not what it was when the run was planned.`,
    where: source.path,
    fix: "Leave the training file as it is during a run; start a new run for the changed file.",
  });
}

function refuseLong(where: string, counts: { total: number; tooLong: number }, length: number, longest: number): UserError {
  return new UserError({
    what: `${counts.tooLong} of ${counts.total} rows are longer than ${length} tokens; the longest has ${longest}.`,
    where,
    fix: "Raise the length, or have long rows dropped or their prompts cut.",
  });
}

function refuseEmpty(where: string, counts: { total: number; tooLong: number; empty: number }, length: number): UserError {
  return new UserError({
    what: `There is nothing to train on: of ${counts.total} rows, ${counts.tooLong} are longer than ${length} tokens and ${counts.empty} have no answer.`,
    where,
    fix: counts.tooLong > 0 ? "Raise the length." : "Check that the answers are in the column that was taken for them.",
  });
}
