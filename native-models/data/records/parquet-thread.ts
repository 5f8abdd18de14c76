// The one thread that parses Parquet files for this process, however many are open.
// It starts with the first question and ends with the last file. When it fails or takes too long, it is ended, every
// open question is answered with the problem, and the next question starts another.

import { Worker } from "node:worker_threads";
import { parquetThreadName, type ParquetAnswer, type ParquetAsk, type ParquetReply, type ParquetRequest } from "./parquet-worker.ts";

const memoryLimitMb = 1024;

interface Thread {
  worker: Worker;
  waiting: Map<number, (answer: ParquetAnswer) => void>;
}

let thread: Thread | null = null;
let openFiles = 0;
let lastId = 0;

export function retainParquetThread(): void {
  openFiles += 1;
}

export async function releaseParquetThread(path: string, limitMs: number): Promise<void> {
  openFiles -= 1;
  if (thread === null) return;
  if (openFiles === 0) await end(thread, "closed");
  else await askParquetThread(path, { ask: "close" }, limitMs);
}

export async function askParquetThread(path: string, ask: ParquetAsk, limitMs: number): Promise<ParquetAnswer> {
  const { worker, waiting } = (thread ??= start());
  const current = thread;
  const id = ++lastId;
  return new Promise((resolve) => {
    const timer = setTimeout(() => void end(current, `no answer within ${limitMs / 1000} s`), limitMs);
    waiting.set(id, (answer) => {
      clearTimeout(timer);
      waiting.delete(id);
      resolve(answer);
    });
    worker.postMessage({ ...ask, path, id } satisfies ParquetRequest);
  });
}

function start(): Thread {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const worker = new Worker(new URL(`./parquet-worker.${extension}`, import.meta.url), { workerData: parquetThreadName, resourceLimits: { maxOldGenerationSizeMb: memoryLimitMb } });
  const started: Thread = { worker, waiting: new Map() };
  worker.unref(); // an open question keeps the program alive by its timer
  worker.on("message", ({ id, ...answer }: ParquetReply) => started.waiting.get(id)?.(answer as ParquetAnswer));
  worker.on("error", (error) => void end(started, error instanceof Error ? error.message : String(error)));
  worker.on("exit", () => void end(started, "the parser's thread ended"));
  return started;
}

async function end(ending: Thread, problem: string): Promise<void> {
  if (thread === ending) thread = null;
  for (const settle of [...ending.waiting.values()]) settle({ problem });
  await ending.worker.terminate();
}
