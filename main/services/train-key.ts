// The key of a training: the hash of all that it depends on, so that the same training is found again. The folder of a run
// holds that of its own in run.json: resuming with anything else is refused.

import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RunConfig } from "./shapes/runs.ts";
import { contentHash, stageKey } from "./stage-keys.ts";

const file = "run.json";

/** Of all that the training depends on; `model` is the fingerprint of the weights, `start` the key of the start. */
export async function trainKey(config: RunConfig, { model, start }: { model: string; start: string }): Promise<string> {
  const { template, steps, epochs, batch, accumulate, length, learningRate, warmupRatio, clipNorm, weightDecay, seed, validation, retention } = config;
  const held = validation?.data ?? null;
  const asked = retention?.questions ?? null;
  return stageKey("train", {
    ...rowsKey(config),
    // Absent without validation, so that trainings of before are found again.
    ...(validation && { validation: JSON.stringify({ ...validation, data: held && (await contentHash(held, "train: validation data")) }) }),
    ...(retention && { retention: JSON.stringify({ ...retention, questions: asked && (await contentHash(asked, "train: retention questions")) }) }),
    model,
    start,
    data: await contentHash(config.data, "train: data"),
    template, steps, epochs, batch, accumulate, length, learningRate, warmupRatio, clipNorm, weightDecay, seed,
  });
}

export function writeTrainKey(folder: string, trainKey: string): void {
  mkdirSync(folder, { recursive: true });
  const partial = join(folder, `${file}.partial`);
  writeFileSync(partial, `${JSON.stringify({ trainKey }, null, 2)}\n`);
  renameSync(partial, join(folder, file));
}

/** Null when the folder holds none that can be read. */
export function readTrainKey(folder: string): string | null {
  try {
    const parsed = JSON.parse(readFileSync(join(folder, file), "utf8")) as { trainKey?: unknown };
    return typeof parsed.trainKey === "string" ? parsed.trainKey : null;
  } catch {
    return null; // no training had begun
  }
}

/** What of the reading of rows is not as ever, so that trainings of before are found again. */
function rowsKey({ mapping, split, overLong, chatTemplate }: RunConfig): { rows?: string } {
  const isAsEver = !mapping && !split && (overLong ?? "drop") === "drop" && !chatTemplate;
  return isAsEver ? {} : { rows: JSON.stringify({ mapping, split, overLong, chatTemplate }) };
}
