// Parquet files as a record source, a block of rows at a time, parsed in a thread of their own (parquet-thread.ts).
// In: a path. Out: records with JSON-like values. A file that cannot be parsed, or not in time, is refused.

import { open } from "node:fs/promises";
import { basename } from "node:path";
import { UserError } from "../../errors.ts";
import { askParquetThread, releaseParquetThread, retainParquetThread } from "./parquet-thread.ts";
import type { ParquetAnswer, ParquetAsk, ParquetHead } from "./parquet-worker.ts";
import type { DataRecord, RecordSource } from "./types.ts";

const blockRows = 1024;
const answerLimitMs = 60_000;

export async function openParquet(path: string, options: { answerLimitMs?: number } = {}): Promise<RecordSource> {
  await checkFooter(path);
  const limitMs = options.answerLimitMs ?? answerLimitMs;
  const ask = async (question: ParquetAsk, part: string): Promise<ParquetAnswer> => {
    const answer = await askParquetThread(path, question, limitMs);
    if ("problem" in answer) throw broken(path, part, answer.problem);
    return answer;
  };
  retainParquetThread();
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (!isOpen) return;
    isOpen = false;
    await releaseParquetThread(path, limitMs);
  };
  try {
    const answer = await ask({ ask: "head" }, "its footer");
    if (!("head" in answer)) throw new Error("the Parquet thread answered something else");
    return recordsOf(path, answer.head, ask, close);
  } catch (error) {
    await close();
    throw error;
  }
}

function recordsOf(path: string, head: ParquetHead, ask: (question: ParquetAsk, part: string) => Promise<ParquetAnswer>, close: () => Promise<void>): RecordSource {
  const name = basename(path);
  let block: { start: number; rows: Promise<Record<string, unknown>[]> } | null = null;

  const blockAt = (start: number): Promise<Record<string, unknown>[]> => {
    if (block?.start === start) return block.rows;
    const end = Math.min(start + blockRows, head.count);
    const rows = ask({ ask: "rows", start, end }, `rows ${start + 1} to ${end}`).then((answer) => ("rows" in answer ? answer.rows : []));
    block = { start, rows };
    return rows;
  };

  const record = async (index: number): Promise<DataRecord> => {
    if (!Number.isInteger(index) || index < 0 || index >= head.count) throw new RangeError(`record ${index} of ${head.count} in ${path}`);
    const value = (await blockAt(index - (index % blockRows)))[index % blockRows];
    if (value === undefined) throw broken(path, `row ${index + 1}`, "fewer rows than its footer says");
    return { index, place: `${name}, row ${index + 1}`, value };
  };

  return {
    path,
    kind: "parquet",
    count: head.count,
    isCut: false,
    columns: head.columns,
    record,
    async *records(first = 0) {
      for (let i = first; i < head.count; i++) yield await record(i);
    },
    close,
  };
}

/** The last bytes tell whether there is a footer to parse at all: most wrong files end here, without a thread. */
async function checkFooter(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const tail = new DataView(new ArrayBuffer(8));
    if (size >= 12) await file.read(tail, 0, 8, size - 8);
    const isParquet = tail.getUint32(4, true) === 0x31524150; // "PAR1"
    if (!isParquet || tail.getUint32(0, true) > size - 12) throw broken(path, "its footer", "it is missing or cut");
  } finally {
    await file.close();
  }
}

function broken(path: string, part: string, problem: string): UserError {
  return new UserError({
    what: `The Parquet file cannot be read at ${part} (${problem.slice(0, 120)}).`,
    where: path,
    fix: "Get the file again: it may be cut short, damaged or not Parquet.",
  });
}
