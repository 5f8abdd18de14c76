// JSONL, JSON list and CSV files as record sources: one index, three ways to cut and to decode.
// In: a path and its kind. Out: records on demand; a broken one is named by file and line, and quoted.

import { open, type FileHandle } from "node:fs/promises";
import { basename } from "node:path";
import { parse as parseCsv } from "csv-parse/sync";
import { UserError } from "../../errors.ts";
import { quoteBytes, quoteText } from "./quote.ts";
import { indexRecords, type IndexOptions, type RecordBytes } from "./record-index.ts";
import { scanCsv, scanJsonItems, scanLines, type MakeScanner, type ScanStart } from "./scanners.ts";
import type { DataRecord, RecordSource } from "./types.ts";

export type TextKind = "jsonl" | "json" | "csv";

const scanners: Record<TextKind, MakeScanner> = { jsonl: scanLines, json: scanJsonItems, csv: scanCsv };

export async function openTextFile(path: string, kind: TextKind, options: IndexOptions = {}): Promise<RecordSource> {
  const file = await open(path, "r");
  try {
    return await openWith(file, path, kind, options);
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function openWith(file: FileHandle, path: string, kind: TextKind, options: IndexOptions): Promise<RecordSource> {
  const start = await firstRecord(file, path, kind);
  const most = options.most === undefined ? {} : { most: options.most + (kind === "csv" ? 1 : 0) }; // a CSV's first record names the columns
  const index = await indexRecords(file, path, start, scanners[kind], { ...options, ...most });
  const name = basename(path);
  const head = kind === "csv" && index.count > 0 ? csvHead(await index.read(0), path) : null;
  const skipped = head === null ? 0 : 1;

  const decode = (found: RecordBytes): DataRecord => {
    const place = `${name}, line ${found.line}`;
    const text = decodeText(found.bytes, place);
    const value = head === null ? parseObject(text, place) : parseCells(text, place, head);
    return { index: found.index - skipped, place, value };
  };

  return {
    path,
    kind,
    count: Math.max(0, index.count - skipped),
    isCut: index.isCut,
    columns: head?.columns ?? null,
    async record(i) {
      if (!Number.isInteger(i) || i < 0) throw new RangeError(`record ${i} of ${name}`);
      return decode(await index.read(i + skipped));
    },
    async *records(first = 0) {
      for await (const found of index.stream(first + skipped)) yield decode(found);
    },
    close: () => file.close(),
  };
}

/** Skips a byte order mark, and the "[" of a JSON list. */
async function firstRecord(file: FileHandle, path: string, kind: TextKind): Promise<ScanStart> {
  const bytes = new Uint8Array(4096);
  const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
  const utf16 = bytesRead >= 2 && ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff));
  if (utf16) {
    throw new UserError({ what: "The file is UTF-16; rows are read as UTF-8.", where: path, fix: "Save it as UTF-8 and choose it again." });
  }
  let byte = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  let line = 1;
  if (kind !== "json") return { byte, line };
  for (; byte < bytesRead; byte++) {
    const here = bytes[byte]!;
    if (here === 91) return { byte: byte + 1, line };
    if (here === 10) line += 1;
    else if (here !== 32 && here !== 9 && here !== 13) break;
  }
  throw new UserError({
    what: `A JSON data file holds one list, but this one begins ${quoteBytes(bytes.subarray(0, bytesRead))}.`,
    where: path,
    fix: "Put the rows in a list ([ … ]), or write one object a line and name the file .jsonl.",
  });
}

function decodeText(bytes: Uint8Array, place: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw new UserError(
      { what: `The bytes are not UTF-8: ${quoteBytes(bytes)}.`, where: place, fix: "Save the file as UTF-8, or remove that line." },
      { cause: error },
    );
  }
}

function parseObject(text: string, place: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^.*?JSON/s, "JSON").slice(0, 60) : "";
    throw new UserError(
      { what: `This is not valid JSON${reason === "" ? "" : ` (${reason})`}: ${quoteText(text.trim())}.`, where: place, fix: "Mend or remove that line." },
      { cause: error },
    );
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new UserError({
    what: `A row must be a JSON object with named fields, not ${quoteText(text.trim())}.`,
    where: place,
    fix: 'Write rows such as {"prompt": "…", "completion": "…"}.',
  });
}

interface CsvHead {
  columns: string[];
  delimiter: string;
}

function csvHead(first: RecordBytes, path: string): CsvHead {
  const place = `${basename(path)}, line ${first.line}`;
  const text = decodeText(first.bytes, place);
  // The delimiter that the heading holds most often, outside the names themselves.
  const delimiter = [",", ";", "\t"].map((d) => ({ d, n: text.split(d).length })).sort((a, b) => b.n - a.n)[0]!.d;
  const columns = csvCells(text, place, delimiter).map((name) => name.trim());
  const problem = columns.some((name) => name === "") ? "an unnamed column" : new Set(columns).size < columns.length ? "two columns of one name" : null;
  if (problem === null) return { columns, delimiter };
  throw new UserError({
    what: `The first line must name the columns, but has ${problem}: ${quoteText(text.trim())}.`,
    where: place,
    fix: "Write a first line such as prompt,completion.",
  });
}

function parseCells(text: string, place: string, { columns, delimiter }: CsvHead): Record<string, unknown> {
  const cells = csvCells(text, place, delimiter);
  if (cells.length === columns.length) return Object.fromEntries(columns.map((name, i) => [name, cells[i]]));
  throw new UserError({
    what: `This line has ${cells.length} cells where the first line names ${columns.length} columns: ${quoteText(text.trim())}.`,
    where: place,
    fix: 'Put cells that hold the delimiter or a line break in double quotes, with quotes inside doubled ("").',
  });
}

function csvCells(text: string, place: string, delimiter: string): string[] {
  try {
    const rows: string[][] = parseCsv(text.replace(/\r$/, ""), { delimiter, relax_column_count: true, skip_empty_lines: true, record_delimiter: ["\r\n", "\n"] });
    if (rows.length === 1) return rows[0]!;
  } catch (error) {
    throw new UserError({ what: `This is not valid CSV: ${quoteText(text.trim())}.`, where: place, fix: "Mend the quotes on that line, or remove it." }, { cause: error });
  }
  throw new UserError({ what: `This is not one CSV record: ${quoteText(text.trim())}.`, where: place, fix: "Mend the quotes on that line, or remove it." });
}
