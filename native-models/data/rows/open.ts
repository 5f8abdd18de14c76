// Opens a training set: records, their format, and each as a row of turns on demand.
// In: a file or dataset folder, maybe a mapping by hand. Out: a RowSource for encode.ts and plan.ts. Close it.

import { UserError } from "../../errors.ts";
import type { Split } from "../records/folder.ts";
import { openRecords, type OpenOptions } from "../records/open.ts";
import type { DataRecord, RecordSource } from "../records/types.ts";
import { convertRecord } from "./convert.ts";
import { detectFormat, formatByHand } from "./detect.ts";
import type { ColumnMapping, RowSource } from "./types.ts";

/** Records that a format is told by. */
export const rowsLookedAt = 50;

export interface RowOptions extends OpenOptions {
  /** Columns chosen by hand; default: detected. */
  mapping?: ColumnMapping;
}

export async function openRows(path: string, options: RowOptions = {}): Promise<RowSource> {
  const records = await openRecords(path, options);
  try {
    return await rowsOf(records, options.mapping, options.split ?? null);
  } catch (error) {
    await records.close();
    throw error;
  }
}

/**
 * Rows that go with a training set (validation, test): by its columns chosen by hand where the file has them, else as
 * the file's own columns tell.
 */
export async function openLikeRows(path: string, mapping: ColumnMapping | null, split: Split | null): Promise<RowSource> {
  const options = split === null ? {} : { split };
  if (mapping !== null && (await hasColumns(path, mapping, options))) return openRows(path, { ...options, mapping });
  return openRows(path, options);
}

async function hasColumns(path: string, mapping: ColumnMapping, options: RowOptions): Promise<boolean> {
  const records = await openRecords(path, { ...options, most: rowsLookedAt });
  try {
    const { columns } = await lookAt(records);
    return Object.entries(mapping).every(([key, column]) => key === "kind" || columns.includes(column));
  } finally {
    await records.close();
  }
}

async function rowsOf(records: RecordSource, mapping: ColumnMapping | undefined, split: Split | null): Promise<RowSource> {
  const { first, columns } = await lookAt(records);
  const format = mapping === undefined ? detectFormat(first, columns, records.path) : formatByHand(mapping, columns, records.path);

  return {
    path: records.path,
    split: records.kind === "folder" ? (split ?? "train") : null,
    count: records.count,
    isCut: records.isCut,
    format,
    columns,
    warnings: format.isSure ? [] : [guessed(format.mapping, records.path)],
    row: async (index) => convertRecord(await records.record(index), format.mapping),
    async *rows(from = 0) {
      for await (const record of records.records(from)) yield { index: record.index, place: record.place, row: convertRecord(record, format.mapping) };
    },
    close: () => records.close(),
  };
}

/** The records that a format is told by, and the columns: the file's own, or the keys seen in those records. */
export async function lookAt(records: RecordSource): Promise<{ first: DataRecord[]; columns: readonly string[] }> {
  const first: DataRecord[] = [];
  for await (const record of records.records()) {
    first.push(record);
    if (first.length === Math.min(rowsLookedAt, records.count)) break;
  }
  return { first, columns: records.columns ?? [...new Set(first.flatMap((record) => Object.keys(record.value)))] };
}

function guessed(mapping: ColumnMapping, where: string): UserError["parts"] {
  const columns = Object.entries(mapping).filter(([key]) => key !== "kind");
  return {
    what: `The format is not a known one; ${columns.map(([key, column]) => `"${column}" was taken as ${key}`).join(" and ")}.`,
    where,
    fix: "Look at the preview, and choose the columns by hand if this is wrong.",
  };
}
