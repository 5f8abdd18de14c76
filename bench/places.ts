// Where a benchmark finds its data, and the tools it is given.

import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const benchFolder = dirname(fileURLToPath(import.meta.url));
export const repoRoot = resolve(benchFolder, "..");

export interface Tools {
  /** A line of progress. */
  say(line: string): void;
  signal: AbortSignal;
  /** A folder for files between the processes; removed when the benchmark ends. */
  work: string;
}

/** The folder with golden/ and data/, or null: what NULLSPACE_SHARED names (empty: none), else the one beside the checkout. */
export function sharedFolder(): string | null {
  const folder = process.env["NULLSPACE_SHARED"] ?? join(repoRoot, "../shared");
  return folder !== "" && existsSync(join(folder, "golden/README.md")) ? resolve(folder) : null;
}

export function sample(name: string): string {
  return join(repoRoot, "samples", name);
}
