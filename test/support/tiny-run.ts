// A tiny model with everything a run needs: rows, questions, Grams and starts, made by the real jobs.
// In: a folder. Out: training jobs over it. A step takes a few milliseconds.

import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runCalibrate, runCalibrateTask } from "../../main/engine/jobs/calibrate.ts";
import { runInit } from "../../main/engine/jobs/init.ts";
import { runTrain } from "../../main/engine/jobs/train.ts";
import type { JobEvent } from "../../main/engine/events.ts";
import type { TrainJob } from "../../main/engine/train-jobs.ts";
import type { TrainResult } from "../../main/engine/job-results.ts";
import type { Method } from "../../native-models/nullspace/types.ts";
import { methods } from "../../native-models/starts/methods.ts";
import { seededRandom } from "./seeded-random.ts";
import { writeTinyModel, type TinyModelOptions } from "./tiny-model.ts";

export interface TinyRun {
  model: string;
  /** JSONL of 24 query/response rows of unequal lengths. */
  data: string;
  /** JSONL of 40 questions. */
  questions: string;
  /** A start folder of that method, rank 4. */
  start(method: Method): Promise<string>;
  /** Three rows a step in two micro-batches, a checkpoint every second step, eight steps, into the folder `name`. */
  job(name: string, init: string, changes?: Partial<TrainJob>): TrainJob;
}

const words = ["the sky", "a stone", "two rivers", "old maps", "what is", "who was", "in time", "and then", "is made of", "the answer", "an island"];

export function tinyRun(folder: string, options: TinyModelOptions = {}): TinyRun {
  mkdirSync(folder, { recursive: true });
  const random = seededRandom(4);
  const phrase = (): string => Array.from({ length: 1 + Math.floor(random() * 4) }, () => words[Math.floor(random() * words.length)]).join(" ");
  const lines = (count: number, make: (i: number) => unknown): string => Array.from({ length: count }, (_, i) => `${JSON.stringify(make(i))}\n`).join("");
  const [model, data, questions] = ["model", "rows.jsonl", "questions.jsonl"].map((name) => join(folder, name));
  writeTinyModel(model, options);
  writeFileSync(data, lines(24, (i) => ({ query: `${phrase()} ${i}`, response: phrase() })));
  writeFileSync(questions, lines(40, (i) => ({ question: `${phrase()} ${i}`, answer: [phrase()] })));
  const grams = join(folder, "grams.safetensors");
  const taskGrams = join(folder, "task-grams.safetensors");
  const signal = new AbortController().signal;

  return {
    model, data, questions,
    async start(method) {
      const out = join(folder, `start-${method}`);
      const need = methods[method].grams;
      const settings = { model, samples: 6, length: 24, seed: 0, scaling: "raw" as const, memoryBytes: null };
      if (need.includes("knowledge") && !existsSync(grams)) await runCalibrate({ kind: "calibrate", questions, ...settings, out: grams }, () => {}, signal);
      if (need.includes("task") && !existsSync(taskGrams)) await runCalibrateTask({ kind: "calibrate-task", data, mapping: null, split: null, template: "chat", ...settings, out: taskGrams }, () => {}, signal);
      await runInit({ kind: "init", model, grams, taskGrams, method, rank: 4, seed: 0, out }, () => {}, signal);
      return out;
    },
    job: (name, init, changes = {}) => ({
      kind: "train", model, init, data, template: "chat", steps: 8, epochs: null, batch: 2, accumulate: 2, length: 128,
      learningRate: 5e-3, warmupRatio: 0.25, clipNorm: 1, weightDecay: 0.01, checkpointEverySteps: 2, validation: null, retention: null, recomputed: "auto", memoryBytes: null, seed: 0,
      out: join(folder, name), resume: false, ...changes,
    }),
  };
}

/** Trains in this process. `stopAfter` asks it to stop once that step is done; `onEvent` sees each event as it comes. */
export async function train(job: TrainJob, { stopAfter, onEvent }: { stopAfter?: number; onEvent?: (event: JobEvent) => void } = {}): Promise<{ events: JobEvent[]; result: TrainResult | null }> {
  const events: JobEvent[] = [];
  const controller = new AbortController();
  const emit = (event: JobEvent): void => {
    events.push(event);
    onEvent?.(event);
    if (event.type === "point" && event.point.step === stopAfter) controller.abort();
  };
  try {
    return { events, result: await runTrain(job, emit, controller.signal) };
  } catch (error) {
    if (error !== controller.signal.reason) throw error;
    return { events, result: null };
  }
}

export function pointsOf(events: readonly JobEvent[]): { step: number; lossNats: number; gradNorm: number; learningRate: number }[] {
  return events.flatMap((event) => (event.type === "point" ? [event.point] : [])).map(({ step, lossNats, gradNorm, learningRate }) => ({ step, lossNats, gradNorm, learningRate }));
}
