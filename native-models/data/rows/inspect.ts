// What a training set looks like, told from its first records only: a file of any size is there at once.
// In: a file or dataset folder, maybe columns chosen by hand. Out: format, columns and one sample value of each, also
// where no format fits and a user has to say what the columns mean.

import { stat } from "node:fs/promises";
import { UserError, type ErrorParts } from "../../errors.ts";
import { findSplits, type Split } from "../records/folder.ts";
import { openRecords } from "../records/open.ts";
import type { DataRecord } from "../records/types.ts";
import { detectFormat, formatByHand } from "./detect.ts";
import { lookAt, rowsLookedAt, type RowOptions } from "./open.ts";
import type { RowFormat } from "./types.ts";

export interface RowsLook {
  path: string;
  /** The split that is read; null where the data are one file. */
  split: Split | null;
  /** Splits of a dataset folder. */
  splits: Split[];
  columns: { name: string; sample: string }[];
  /** Null where the format is unknown or the chosen columns do not fit. */
  format: RowFormat | null;
  problem: ErrorParts | null;
}

const longestSample = 160;

export async function inspectRows(path: string, options: Pick<RowOptions, "mapping" | "split" | "signal"> = {}): Promise<RowsLook> {
  const { mapping, split = "train" } = options;
  const splits = await splitsOf(path);
  const records = await openRecords(path, { ...options, most: rowsLookedAt });
  try {
    const { first, columns } = await lookAt(records);
    const look = { path, split: splits.length === 0 ? null : split, splits, columns: columns.map((name) => ({ name, sample: sampleOf(first, name) })) };
    try {
      const format = mapping === undefined ? detectFormat(first, columns, path) : formatByHand(mapping, columns, path);
      return { ...look, format, problem: null };
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      return { ...look, format: null, problem: error.parts };
    }
  } finally {
    await records.close();
  }
}

/** Empty for a file. */
async function splitsOf(path: string): Promise<Split[]> {
  const isFolder = await stat(path).then((found) => found.isDirectory(), () => false);
  return isFolder ? (Object.keys(await findSplits(path)) as Split[]) : [];
}

/** The first value of that column that is not empty, as text. */
function sampleOf(records: readonly DataRecord[], column: string): string {
  for (const { value } of records) {
    const cell = Object.hasOwn(value, column) ? value[column] : null;
    const text = typeof cell === "string" ? cell : cell === null ? "" : (JSON.stringify(cell) ?? "");
    if (text.trim() !== "") return text.length > longestSample ? `${text.slice(0, longestSample)}…` : text;
  }
  return "";
}
