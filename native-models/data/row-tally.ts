// Counts what becomes of rows as they are looked at, one after another: kept, cut, left out and why, and their lengths.
// In: every row, encoded. Out: an account at any time, for people; what training needs of the kept rows.

import { UserError } from "../errors.ts";
import { commonLength } from "./common-prefix.ts";
import { countTrained, type EncodedRow } from "./encode.ts";
import type { Fate, Fitted, FitSettings, OverLong } from "./fit.ts";
import { histogramOf, type LengthHistogram } from "./histogram.ts";

export interface DropReason {
  reason: string;
  count: number;
  /** First row it happened to, from 0. */
  exampleRow: number;
}

/** total = kept + tooLong + empty; cut rows are among the kept. */
export interface RowCounts {
  total: number;
  kept: number;
  cut: number;
  tooLong: number;
  empty: number;
  reasons: DropReason[];
}

export interface RowsAccount {
  counts: RowCounts;
  /** Of the kept rows. */
  tokens: number;
  trainedTokens: number;
  /** Of all rows, before cutting. */
  histogram: LengthHistogram;
  /** Tokens a row may have: the line in the histogram. */
  length: number;
  overLong: OverLong;
}

export function tallyRows(settings: FitSettings) {
  const rows: number[] = [];
  const lengths: number[] = [];
  const trained: number[] = [];
  const lengthCounts = new Map<number, number>();
  const reasons = new Map<string, DropReason>();
  const counts = { total: 0, kept: 0, cut: 0, tooLong: 0, empty: 0 };
  let [tokens, trainedTokens] = [0, 0];
  let beginning: Int32Array | null = null;

  const note = (reason: string, row: number): void => {
    const seen = reasons.get(reason);
    if (seen === undefined) reasons.set(reason, { reason, count: 1, exampleRow: row });
    else seen.count += 1;
  };

  return {
    add(index: number, encoded: EncodedRow, { fate, row }: Fitted): void {
      counts.total += 1;
      lengthCounts.set(encoded.ids.length, (lengthCounts.get(encoded.ids.length) ?? 0) + 1);
      if (fate !== "kept") note(reasonOf(fate, settings), index);
      if (fate === "cut") counts.cut += 1;
      if (fate === "too-long") counts.tooLong += 1;
      if (fate === "empty") counts.empty += 1;
      if (row === null) return;
      counts.kept += 1;
      const rowTrained = countTrained(row);
      beginning = beginning === null ? Int32Array.from(row.ids) : beginning.subarray(0, commonLength(beginning, row.ids));
      rows.push(index);
      lengths.push(row.ids.length);
      trained.push(rowTrained);
      tokens += row.ids.length;
      trainedTokens += rowTrained;
    },

    total: (): number => counts.total,

    account: (): RowsAccount => ({
      counts: { ...counts, reasons: [...reasons.values()].map((reason) => ({ ...reason })) },
      tokens,
      trainedTokens,
      histogram: histogramOf(lengthCounts),
      ...settings,
    }),

    kept: () => ({ rows: Int32Array.from(rows), lengths: Int32Array.from(lengths), trained: Int32Array.from(trained), shared: beginning?.length ?? 0 }),
  };
}

function reasonOf(fate: Exclude<Fate, "kept">, { length, overLong }: FitSettings): string {
  if (fate === "empty") return "nothing to train on: no answer, or an empty one";
  if (fate === "cut") return `kept, but its prompt was cut to fit ${length} tokens`;
  return overLong === "cut-prompt" ? `its answer alone leaves no room for a prompt in ${length} tokens` : `longer than ${length} tokens`;
}

/** Why these rows cannot be trained on, or null where they can. */
export function refusalOf({ counts, histogram, trainedTokens, length, overLong }: RowsAccount, where: string): UserError | null {
  if (overLong === "refuse" && counts.tooLong > 0) {
    return new UserError({
      what: `${counts.tooLong} of ${counts.total} rows are longer than ${length} tokens; the longest has ${histogram.longestTokens}.`,
      where,
      fix: "Raise the length, or have long rows dropped or their prompts cut.",
    });
  }
  if (trainedTokens > 0) return null;
  return new UserError({
    what: `There is nothing to train on: of ${counts.total} rows, ${counts.tooLong} are longer than ${length} tokens and ${counts.empty} have no answer.`,
    where,
    fix: counts.tooLong > 0 ? "Raise the length." : "Check that the answers are in the column that was taken for them.",
  });
}
