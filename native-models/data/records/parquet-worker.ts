// The thread that parses Parquet files (hyparquet). A hostile footer can make a parser loop, reject out of turn or
// fill memory; in a thread of its own that ends the thread, not the program. parquet-thread.ts starts it.

import { open, type FileHandle } from "node:fs/promises";
import { parentPort, workerData } from "node:worker_threads";
import * as zlib from "node:zlib";
import { parquetMetadataAsync, parquetReadObjects, parquetSchema, snappyUncompress, type AsyncBuffer, type Compressors, type FileMetaData } from "hyparquet";

/** workerData of the thread that this module is the entry of. */
export const parquetThreadName = "nullspace-parquet";

export type ParquetAsk = { ask: "head" } | { ask: "rows"; start: number; end: number } | { ask: "close" };
export type ParquetRequest = ParquetAsk & { id: number; path: string };

export interface ParquetHead {
  count: number;
  columns: string[];
}

export type ParquetAnswer = { head: ParquetHead } | { rows: Record<string, unknown>[] } | { problem: string };
export type ParquetReply = ParquetAnswer & { id: number };

const longestPageBytes = 256 * 2 ** 20;
const mostRows = 2n ** 31n;

if (parentPort !== null && workerData === parquetThreadName) serve(parentPort);

function serve(port: NonNullable<typeof parentPort>): void {
  const opened = new Map<string, Promise<Parsed>>();
  port.on("message", (request: ParquetRequest) => {
    void answer(opened, request).then(
      (given) => port.postMessage({ ...given, id: request.id }),
      (error: unknown) => port.postMessage({ problem: error instanceof Error ? error.message : String(error), id: request.id }),
    );
  });
}

interface Parsed {
  file: FileHandle;
  buffer: AsyncBuffer;
  metadata: FileMetaData;
  head: ParquetHead;
}

async function answer(opened: Map<string, Promise<Parsed>>, request: ParquetRequest): Promise<ParquetAnswer> {
  if (request.ask === "close") {
    const closing = opened.get(request.path);
    opened.delete(request.path);
    await closing?.then(({ file }) => file.close());
    return { rows: [] };
  }
  const parsing = opened.get(request.path) ?? openParsed(request.path);
  opened.set(request.path, parsing);
  const { buffer, metadata, head } = await parsing;
  if (request.ask === "head") return { head };
  const rows = await parquetReadObjects({ file: buffer, metadata, rowStart: request.start, rowEnd: request.end, compressors });
  return { rows: rows.map((row) => Object.fromEntries(Object.entries(row).map(([key, value]) => [key, plain(value)]))) };
}

async function openParsed(path: string): Promise<Parsed> {
  const file = await open(path, "r");
  try {
    return await parse(file);
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function parse(file: FileHandle): Promise<Parsed> {
  const { size } = await file.stat();
  const buffer: AsyncBuffer = { byteLength: size, slice: (start, end = size) => slice(file, size, start, end) };
  const metadata = await parquetMetadataAsync(buffer);
  const sum = metadata.row_groups.reduce((total, group) => total + group.num_rows, 0n);
  if (metadata.num_rows !== sum || sum > mostRows || metadata.row_groups.some((group) => group.num_rows < 0n)) throw new Error(`its row count is ${metadata.num_rows}`);
  const columns = parquetSchema(metadata).children.map((child) => child.element.name);
  return { file, buffer, metadata, head: { count: Number(sum), columns } };
}

async function slice(file: FileHandle, size: number, start: number, end: number): Promise<ArrayBuffer> {
  if (!(start >= 0 && start <= end && end <= size)) throw new RangeError(`bytes ${start} to ${end} of ${size}`);
  const bytes = new ArrayBuffer(end - start);
  const { bytesRead } = await file.read(new Uint8Array(bytes), 0, end - start, start);
  if (bytesRead < end - start) throw new RangeError(`bytes ${start} to ${end}: only ${bytesRead} read`);
  return bytes;
}

const compressors: Compressors = {
  SNAPPY(input, length) {
    if (length === 0) return new Uint8Array(0); // the dictionary of a column whose lists are all empty
    const output = new Uint8Array(outputLimit(length));
    snappyUncompress(input, output);
    return output.subarray(0, length);
  },
  GZIP: (input, length) => zlib.gunzipSync(input, { maxOutputLength: outputLimit(length) }),
  BROTLI: (input, length) => zlib.brotliDecompressSync(input, { maxOutputLength: outputLimit(length) }),
  ZSTD(input, length) {
    if (typeof zlib.zstdDecompressSync !== "function") throw new Error("it is packed with zstd, which Node before 22.15 cannot unpack");
    return zlib.zstdDecompressSync(input, { maxOutputLength: outputLimit(length) });
  },
};

function outputLimit(length: number): number {
  if (!(length >= 0 && length <= longestPageBytes)) throw new RangeError(`a page of ${length} bytes`);
  return Math.max(1, length);
}

/** Values as JSON would have them. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return value >= -(2n ** 53n) && value <= 2n ** 53n ? Number(value) : value.toString();
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  if (ArrayBuffer.isView(value)) return Array.from(value as Uint8Array);
  if (typeof value === "object" && value !== null) return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
  return typeof value === "function" || typeof value === "symbol" ? null : value;
}
