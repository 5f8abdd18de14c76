// Parquet files as a record source (hyparquet), read a block of rows at a time.
// In: a path. Out: records with JSON-like values: bigint becomes number where exact, dates ISO text.
// Memory: the file's footer and one block; a footer that claims what the file cannot hold is refused before it is read.

import { open, type FileHandle } from "node:fs/promises";
import { basename } from "node:path";
import * as zlib from "node:zlib";
import { parquetMetadataAsync, parquetReadObjects, parquetSchema, type AsyncBuffer, type Compressors, type FileMetaData } from "hyparquet";
import { UserError } from "../../errors.ts";
import type { DataRecord, RecordSource } from "./types.ts";

const blockRows = 1024;
const longestPageBytes = 512 * 2 ** 20;

export async function openParquet(path: string): Promise<RecordSource> {
  const file = await open(path, "r");
  try {
    return await openWith(file, path);
  } catch (error) {
    await file.close();
    throw error instanceof UserError ? error : broken(path, "its footer", error);
  }
}

async function openWith(file: FileHandle, path: string): Promise<RecordSource> {
  const { size } = await file.stat();
  const buffer: AsyncBuffer = { byteLength: size, slice: (start, end = size) => slice(file, size, start, end) };
  await checkFooter(file, size, path);
  const metadata = await parquetMetadataAsync(buffer);
  const count = checkedCount(metadata, path);
  const columns = parquetSchema(metadata).children.map((child) => child.element.name);
  const name = basename(path);
  let block: { start: number; rows: Promise<Record<string, unknown>[]> } | null = null;

  const blockAt = (start: number): Promise<Record<string, unknown>[]> => {
    if (block?.start === start) return block.rows;
    const rows = readBlock(buffer, metadata, start, Math.min(start + blockRows, count), path);
    block = { start, rows };
    return rows;
  };

  const record = async (index: number): Promise<DataRecord> => {
    if (!Number.isInteger(index) || index < 0 || index >= count) throw new RangeError(`record ${index} of ${count} in ${path}`);
    const place = `${name}, row ${index + 1}`;
    const value = (await blockAt(index - (index % blockRows)))[index % blockRows];
    if (value === undefined) throw broken(path, `row ${index + 1}`, null);
    return { index, place, value };
  };

  return {
    path,
    kind: "parquet",
    count,
    columns,
    record,
    async *records(first = 0) {
      for (let i = first; i < count; i++) yield await record(i);
    },
    close: () => file.close(),
  };
}

async function readBlock(file: AsyncBuffer, metadata: FileMetaData, rowStart: number, rowEnd: number, path: string): Promise<Record<string, unknown>[]> {
  try {
    const rows = await parquetReadObjects({ file, metadata, rowStart, rowEnd, compressors });
    return rows.map((row) => Object.fromEntries(Object.entries(row).map(([key, value]) => [key, plain(value)])));
  } catch (error) {
    throw error instanceof UserError ? error : broken(path, `rows ${rowStart + 1} to ${rowEnd}`, error);
  }
}

async function slice(file: FileHandle, size: number, start: number, end: number): Promise<ArrayBuffer> {
  if (!(start >= 0 && start <= end && end <= size)) throw new RangeError(`bytes ${start} to ${end} of ${size}`);
  const bytes = new ArrayBuffer(end - start);
  const { bytesRead } = await file.read(new Uint8Array(bytes), 0, end - start, start);
  if (bytesRead < end - start) throw new RangeError(`bytes ${start} to ${end}: only ${bytesRead} read`);
  return bytes;
}

async function checkFooter(file: FileHandle, size: number, path: string): Promise<void> {
  const tail = new DataView(size >= 12 ? await slice(file, size, size - 8, size) : new ArrayBuffer(8));
  const isParquet = tail.getUint32(4, true) === 0x31524150; // "PAR1"
  if (isParquet && tail.getUint32(0, true) <= size - 12) return;
  throw broken(path, "its footer", null);
}

function checkedCount(metadata: FileMetaData, path: string): number {
  const sum = metadata.row_groups.reduce((total, group) => total + group.num_rows, 0n);
  if (metadata.num_rows !== sum || sum < 0n || sum > 2n ** 31n || metadata.row_groups.some((group) => group.num_rows < 0n)) {
    throw broken(path, `its row count (${metadata.num_rows})`, null);
  }
  return Number(sum);
}

/** Snappy comes with hyparquet, the rest with node. */
const compressors: Compressors = {
  GZIP: (input, length) => zlib.gunzipSync(input, { maxOutputLength: outputLimit(length) }),
  BROTLI: (input, length) => zlib.brotliDecompressSync(input, { maxOutputLength: outputLimit(length) }),
  ZSTD: (input, length) => {
    if (typeof zlib.zstdDecompressSync !== "function") {
      throw new UserError({ what: "This Parquet file is packed with zstd, which Node before 22.15 cannot unpack.", where: "parquet", fix: "Use a newer Node, or save the file with snappy." });
    }
    return zlib.zstdDecompressSync(input, { maxOutputLength: outputLimit(length) });
  },
};

function outputLimit(length: number): number {
  if (length > longestPageBytes) throw new RangeError(`a page of ${length} bytes`);
  return Math.max(1, length);
}

/** Values as JSON would have them. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return value >= -(2n ** 53n) && value <= 2n ** 53n ? Number(value) : value.toString();
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  if (ArrayBuffer.isView(value)) return value;
  if (typeof value === "object" && value !== null) return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
  return value;
}

function broken(path: string, part: string, cause: unknown): UserError {
  const reason = cause instanceof Error ? ` (${cause.message.slice(0, 100)})` : "";
  return new UserError({ what: `The Parquet file cannot be read at ${part}${reason}.`, where: path, fix: "Get the file again: it may be cut short or not be Parquet." }, { cause });
}
