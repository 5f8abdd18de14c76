// The key of the training that a run's folder holds, in run.json: resuming with anything else is refused.

import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const file = "run.json";

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
