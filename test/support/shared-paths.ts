// Where the reference data of the tests lies, or why it is missing.
// In: the sibling folder ../shared of the checkout (or NULLSPACE_SHARED), and the real model's folder
// (NULLSPACE_SMOLLM2, or .cache/smollm2 that `npm test` makes). Out: paths, and `goldenTest`, which skips by name.

import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "vitest";

export const repoRoot = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

/** The folder with golden/, data/ and tools/, or null. */
export const sharedFolder = folderWith(
  [process.env["NULLSPACE_SHARED"], join(repoRoot, "../shared")],
  "golden/README.md",
);

/** SmolLM2-135M-Instruct as a Hugging Face folder with weights, or null. */
export const smollm2Folder = folderWith(
  [process.env["NULLSPACE_SMOLLM2"], join(repoRoot, ".cache/smollm2")],
  "model.safetensors",
);

/** Why golden comparisons cannot run here, or null where they can. */
export const goldenMissing: string | null =
  sharedFolder === null
    ? "../shared/golden is not beside this checkout"
    : smollm2Folder === null
      ? "the SmolLM2 weights are missing (NULLSPACE_SMOLLM2 or .cache/smollm2)"
      : null;

/** Path of a golden file. Only call it inside `goldenTest` or where `sharedFolder` was checked. */
export function goldenFile(name: string): string {
  if (sharedFolder === null) throw new Error(`golden file ${name} asked for, but ../shared is missing`);
  return join(sharedFolder, "golden", name);
}

/** Path of a file in ../shared/data. */
export function sharedData(name: string): string {
  if (sharedFolder === null) throw new Error(`data file ${name} asked for, but ../shared is missing`);
  return join(sharedFolder, "data", name);
}

/** The real model's folder, for use inside `goldenTest`. */
export function realModel(): string {
  if (smollm2Folder === null) throw new Error("the real model was asked for, but its weights are missing");
  return smollm2Folder;
}

/** A test against the golden data and the real model; a named skip where either is missing. */
export const goldenTest = test.skipIf(goldenMissing !== null);

function folderWith(candidates: readonly (string | undefined)[], file: string): string | null {
  for (const folder of candidates) {
    if (folder !== undefined && folder !== "" && existsSync(join(folder, file))) return resolve(folder);
  }
  return null;
}
