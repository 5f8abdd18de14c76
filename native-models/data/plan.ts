// Looks at every row of a training set before training: lengths, what is kept, cut and dropped, and why.
// In: a RowSource, tokenizer, template, length limit. Out: the rows to train on and the numbers to show and to store.
// Rows are streamed; what stays in memory is three integers a kept row.

import { setImmediate as yieldToOthers } from "node:timers/promises";
import type { Tokenizer } from "../checkpoint/types.ts";
import { UserError } from "../errors.ts";
import { encodeRow, encodeRows, type EncodedRow, type TemplateName } from "./encode.ts";
import { fitRow, type OverLong } from "./fit.ts";
import { refusalOf, tallyRows, type RowsAccount } from "./row-tally.ts";
import type { RowSource, TrainingRow } from "./rows/types.ts";

export interface PlanSettings {
  template: TemplateName;
  /** Most tokens a row may have. */
  length: number;
  /** Default: drop. */
  overLong?: OverLong;
}

export interface RowPlan extends RowsAccount {
  template: TemplateName;
  /** Row numbers in the source, ascending. */
  rows: Int32Array;
  /** Tokens of each kept row, after cutting. */
  lengths: Int32Array;
  /** Trained tokens of each kept row. */
  trained: Int32Array;
  /** Tokens that all kept rows begin with. */
  shared: number;
}

export interface PlanOptions {
  /** `account` gives the counts so far; it costs a little, so ask only for what is shown. */
  onProgress?: (done: number, total: number, account: () => RowsAccount) => void;
  signal?: AbortSignal;
}

/** Rows encoded between two looks at the signal and at other work. */
const rowsAtOnce = 32;

/** The plan; rows that cannot be trained on are refused. */
export async function planRows(source: RowSource, tokenizer: Tokenizer, settings: PlanSettings, options: PlanOptions = {}): Promise<RowPlan> {
  const plan = await countRows(source, tokenizer, settings, options);
  const refusal = refusalOf(plan, source.path);
  if (refusal !== null) throw refusal;
  return plan;
}

/** The plan, also of rows that cannot be trained on: to show what they are. */
export async function countRows(source: RowSource, tokenizer: Tokenizer, settings: PlanSettings, options: PlanOptions = {}): Promise<RowPlan> {
  const { template, length, overLong = "drop" } = settings;
  const tally = tallyRows({ length, overLong });
  for await (const batch of inBatches(source, rowsAtOnce)) {
    options.signal?.throwIfAborted();
    options.onProgress?.(tally.total(), source.count, tally.account);
    await yieldToOthers();
    for (const [i, encoded] of encodeNamed(batch, tokenizer, template).entries()) tally.add(batch[i]!.index, encoded, fitRow(encoded, tokenizer, { length, overLong }));
  }
  options.onProgress?.(tally.total(), tally.total(), tally.account);
  return { template, ...tally.account(), ...tally.kept() };
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

/** The kept row at `position` of the plan, encoded as it was planned. */
export async function plannedRow(source: RowSource, tokenizer: Tokenizer, plan: RowPlan, position: number): Promise<EncodedRow> {
  const index = plan.rows[position];
  if (index === undefined) throw new RangeError(`row ${position} of ${plan.rows.length} planned`);
  const { row } = fitRow(encodeRow(await source.row(index), tokenizer, plan.template), tokenizer, plan);
  if (row !== null && row.ids.length === plan.lengths[position]) return row;
  throw new UserError({
    what: `Row ${index + 1} is not what it was when the run was planned.`,
    where: source.path,
    fix: "Leave the training file as it is during a run; start a new run for the changed file.",
  });
}
