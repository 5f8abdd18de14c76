// Layers shared out to worker threads. Each worker opens the model and the Gram files itself; what comes back are plain
// arrays, moved and not copied. A worker gets its next layer when it has finished one.

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
  | { type: "layer"; energies: InputEnergy[] }
  | { type: "failed"; parts: ErrorParts | null; message: string; stack: string | null };

/** A layer to do, or null: no more. */
export type ToWorker = { layer: number } | null;

interface WorkersOptions {
  workers: number;
  threads: number;
  sink(module: Module, start: ProjectionStart): void;
  layerDone(energies: readonly InputEnergy[]): void;
  signal?: AbortSignal;
}

export async function startsInWorkers(source: LayerSource, options: WorkersOptions): Promise<void> {
  const { workers, threads, sink, layerDone, signal } = options;
  const { checkpoint, knowledge, task, method, rank, seed } = source;
  signal?.throwIfAborted();
  const modules = new Map(modulesOf(checkpoint.config).map((module) => [module.name, module]));
  const settings: WorkerSettings = { model: checkpoint.folder, knowledge: knowledge?.file ?? null, task: task?.file ?? null, method, rank, seed, threads };
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  let nextLayer = 0;

  const running: Worker[] = [];
  const work = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL(`./worker-entry.${extension}`, import.meta.url), { workerData: settings });
      running.push(worker);
      const giveLayer = (): void => {
        const order: ToWorker = nextLayer < checkpoint.config.layers ? { layer: nextLayer++ } : null;
        worker.postMessage(order);
      };
      worker.on("message", (message: FromWorker) => {
        try {
          if (message.type === "failed") return reject(errorOf(message));
          if (message.type === "module") return sink(modules.get(message.name)!, message.start);
          if (message.type === "layer") layerDone(message.energies);
          giveLayer();
        } catch (error) {
          reject(error); // the sink could not write: the disk is full, for example
        }
      });
      worker.on("error", reject);
      worker.on("exit", (code) => (code === 0 ? resolve() : reject(new Error(`A start worker ended with code ${code}`))));
    });

  const cancelled = new Promise<never>((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason), { once: true }));
  try {
    await Promise.race([Promise.all(Array.from({ length: workers }, work)), cancelled]);
  } finally {
    await Promise.all(running.map((worker) => worker.terminate()));
  }
}

function errorOf({ parts, message, stack }: Extract<FromWorker, { type: "failed" }>): Error {
  if (parts) return new UserError(parts);
  const error = new Error(message);
  if (stack) error.stack = stack;
  return error;
}
