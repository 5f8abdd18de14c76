// Sparse index of a text file's records: where every Nth begins, so that any one is found by a short scan.
// In: an open file and a scanner for its kind. Out: count, and the bytes of record i. Memory is bounded: past `capacity`
// marks every other one is dropped and the stride doubles (a 1 GB file of a million lines keeps 4 MiB).

import type { FileHandle } from "node:fs/promises";
import { UserError } from "../../errors.ts";
import type { MakeScanner, RecordRange, ScanStart } from "./scanners.ts";

const capacity = 2 ** 18;
const chunkBytes = 2 ** 18;
/** A longer record is taken for a file of another kind. */
const longestRecordBytes = 64 * 2 ** 20;

export interface RecordBytes {
  index: number;
  line: number;
  bytes: Uint8Array;
}

export interface RecordIndex {
  count: number;
  /** There are more records, beyond the `most` that were asked for. */
  isCut: boolean;
  read(index: number): Promise<RecordBytes>;
  stream(first: number): AsyncIterable<RecordBytes>;
}

export interface IndexOptions {
  /** Stop after so many records: the beginning of a big file is there at once. */
  most?: number;
  /** Bytes read since the last call. */
  onBytes?: (bytes: number) => void;
  signal?: AbortSignal;
}

export async function indexRecords(file: FileHandle, path: string, start: ScanStart, makeScanner: MakeScanner, options: IndexOptions = {}): Promise<RecordIndex> {
  const { most = Infinity } = options;
  const bytes = new Float64Array(capacity);
  const lines = new Float64Array(capacity);
  let stride = 1;
  let marks = 0;
  let count = 0;
  let isCut = false;

  for await (const { range } of scan(file, path, start, makeScanner, options)) {
    if (count === most) {
      isCut = true;
      break;
    }
    if (count % stride === 0) {
      if (marks === capacity) {
        marks = capacity / 2;
        for (let i = 0; i < marks; i++) {
          bytes[i] = bytes[2 * i]!;
          lines[i] = lines[2 * i]!;
        }
        stride *= 2;
      }
      if (count % stride === 0) {
        bytes[marks] = range.startByte;
        lines[marks] = range.line;
        marks += 1;
      }
    }
    count += 1;
  }
  const markBytes = bytes.slice(0, marks);
  const markLines = lines.slice(0, marks);

  async function* stream(first: number): AsyncGenerator<RecordBytes> {
    if (first >= count) return;
    const mark = Math.floor(first / stride);
    let index = mark * stride;
    for await (const { range, read } of scan(file, path, { byte: markBytes[mark]!, line: markLines[mark]! }, makeScanner)) {
      if (index >= first) yield { index, line: range.line, bytes: await read() };
      index += 1;
      if (index >= count) return;
    }
  }

  return {
    count,
    isCut,
    stream,
    async read(index) {
      if (!Number.isInteger(index) || index < 0 || index >= count) throw new RangeError(`record ${index} of ${count} in ${path}`);
      for await (const record of stream(index)) return record;
      throw new UserError({
        what: `Record ${index + 1} of ${count} is gone: the file became shorter while it was in use.`,
        where: path,
        fix: "Leave the file as it is during a run, and start again.",
      });
    },
  };
}

interface Scanned {
  range: RecordRange;
  read(): Promise<Uint8Array>;
}

/** Reads the file chunk by chunk; a record inside the current chunk is a view of it, a longer one is read on its own. */
async function* scan(file: FileHandle, path: string, start: ScanStart, makeScanner: MakeScanner, { onBytes, signal }: IndexOptions = {}): AsyncGenerator<Scanned> {
  let found: RecordRange[] = [];
  const scanner = makeScanner(start, (range) => {
    found.push(range);
    return true;
  });
  let at = start.byte;
  // Small first chunk: reading one record at random must not cost a whole chunk.
  for (let size = 2 ** 14; ; size = Math.min(size * 4, chunkBytes)) {
    const chunk = new Uint8Array(size);
    signal?.throwIfAborted();
    const { bytesRead } = await file.read(chunk, 0, size, at);
    onBytes?.(bytesRead);
    const view = chunk.subarray(0, bytesRead);
    if (bytesRead === 0) scanner.end();
    else scanner.feed(view);
    const chunkStart = at;
    at += bytesRead;
    for (const range of found) {
      if (range.endByte - range.startByte > longestRecordBytes) throw tooLong(path, range.line);
      yield { range, read: () => bytesOf(file, range, chunkStart, view) };
    }
    found = [];
    if (bytesRead === 0) return;
    if (at - scanner.openSince() > longestRecordBytes) throw tooLong(path, null);
  }
}

async function bytesOf(file: FileHandle, range: RecordRange, chunkStart: number, chunk: Uint8Array): Promise<Uint8Array> {
  if (range.startByte >= chunkStart && range.endByte <= chunkStart + chunk.length) {
    return chunk.subarray(range.startByte - chunkStart, range.endByte - chunkStart);
  }
  const bytes = new Uint8Array(range.endByte - range.startByte);
  const { bytesRead } = await file.read(bytes, 0, bytes.length, range.startByte);
  return bytes.subarray(0, bytesRead);
}

function tooLong(path: string, line: number | null): UserError {
  return new UserError({
    what: `A record${line === null ? "" : ` (line ${line})`} is longer than ${longestRecordBytes / 2 ** 20} MiB, so this is hardly a file of rows.`,
    where: path,
    fix: "Check the file: each row must end in a line break, quotes must be closed, and a JSON list must hold one object a row.",
  });
}
