// Layers shared out to worker threads. Each worker opens the model and the Gram files itself; what comes back are plain
// arrays, moved and not copied. A worker gets its next layer when it has finished one. A worker is asked to stop and
// leaves by itself, between two products: ending a thread inside a native call aborts the whole process.

import { setFlagsFromString } from "node:v8";
import { Worker } from "node:worker_threads";
import { UserError, type ErrorParts } from "../errors.ts";
import { modulesOf, type Module } from "../programs/names.ts";
import type { LayerSource } from "./layer-starts.ts";
import type { ProjectionStart } from "./method.ts";
import type { InputEnergy } from "./start-folder.ts";

/** What a worker is started with: paths and settings, no handles. */
export interface WorkerSettings extends Pick<LayerSource, "method" | "rank" | "seed"> {
  model: string;
  knowledge: string | null;
  task: string | null;
  threads: number;
}

export type FromWorker =
  | { type: "ready" }
  | { type: "module"; name: string; start: ProjectionStart }
  | { type: "note"; line: string }
  | { type: "layer"; energies: InputEnergy[] }
  | { type: "failed"; parts: ErrorParts | null; message: string; stack: string | null };

/** A layer to do, or null: no more, and stop the one at hand. */
export type ToWorker = { layer: number } | null;

interface WorkersOptions {
  workers: number;
  threads: number;
  sink(module: Module, start: ProjectionStart): void;
  layerDone(energies: readonly InputEnergy[]): void;
  onNote?(line: string): void;
  signal?: AbortSignal;
}

/**
 * MiB that a new thread's collector may see in use before it looks through all of its heap. The solver's many short-lived
 * matrices had it look so often that a start took a quarter longer (SmolLM2: 9.0 against 7.0 s, 30 MB more at the peak).
 */
const firstHeapMiB = 1024;

export async function startsInWorkers(source: LayerSource, options: WorkersOptions): Promise<void> {
  const { workers, threads, sink, layerDone, onNote, signal } = options;
  const { checkpoint, knowledge, task, method, rank, seed } = source;
  signal?.throwIfAborted();
  const modules = new Map(modulesOf(checkpoint.config).map((module) => [module.name, module]));
  const settings: WorkerSettings = { model: checkpoint.folder, knowledge: knowledge?.file ?? null, task: task?.file ?? null, method, rank, seed, threads };
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  let nextLayer = 0;
  let failure: { error: unknown } | null = null;

  setFlagsFromString(`--initial-heap-size=${firstHeapMiB}`); // for heaps made from here on
  const running = new Set<Worker>();
  const stop = (error: unknown): void => {
    failure ??= { error };
    for (const worker of running) worker.postMessage(null satisfies ToWorker);
  };
  const work = (): Promise<void> =>
    new Promise((resolve) => {
      const worker = new Worker(new URL(`./worker-entry.${extension}`, import.meta.url), { workerData: settings });
      running.add(worker);
      worker.on("message", (message: FromWorker) => {
        if (failure) return; // what comes late is not wanted any more
        try {
          if (message.type === "failed") throw errorOf(message);
          if (message.type === "note") return onNote?.(message.line);
          if (message.type === "module") return sink(modules.get(message.name)!, message.start);
          if (message.type === "layer") layerDone(message.energies);
          const order: ToWorker = nextLayer < checkpoint.config.layers ? { layer: nextLayer++ } : null;
          worker.postMessage(order);
        } catch (error) {
          stop(error);
        }
      });
      worker.on("error", stop);
      worker.on("exit", (code) => {
        running.delete(worker);
        if (code !== 0) stop(new Error(`A start worker ended with code ${code}`));
        resolve();
      });
    });

  const onAbort = (): void => stop(signal!.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.all(Array.from({ length: workers }, work));
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
  if (failure) throw (failure as { error: unknown }).error;
}

function errorOf({ parts, message, stack }: Extract<FromWorker, { type: "failed" }>): Error {
  if (parts) return new UserError(parts);
  const error = new Error(message);
  if (stack) error.stack = stack;
  return error;
}
