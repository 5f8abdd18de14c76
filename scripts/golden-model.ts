// The real model that golden tests run on: SmolLM2-135M-Instruct as a Hugging Face folder.
// In: NULLSPACE_SMOLLM2, else ../shared/tools/make-smollm2 of the checkout. Out: the folder, made once under .cache/.

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, renameSync, rmSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";

export type GoldenModel = { folder: string } | { folder: null; reason: string };

/** Finds or makes the model folder; where that fails, says why. Takes about 20 s and 300 MB the first time. */
export function obtainGoldenModel(repoRoot: string, say: (line: string) => void): GoldenModel {
  const asked = process.env["NULLSPACE_SMOLLM2"];
  if (asked !== undefined && asked !== "") {
    if (existsSync(join(asked, "model.safetensors"))) return { folder: resolve(asked) };
    return { folder: null, reason: `NULLSPACE_SMOLLM2 names ${asked}, which has no model.safetensors` };
  }
  const cache = join(repoRoot, ".cache");
  const folder = join(cache, "smollm2");
  if (existsSync(join(folder, "model.safetensors"))) return { folder };
  const shared = process.env["NULLSPACE_SHARED"] ?? join(repoRoot, "../shared");
  const tool = join(shared, "tools/make-smollm2");
  if (!existsSync(tool)) return { folder: null, reason: "../shared/tools/make-smollm2 is not beside this checkout" };

  say("Making the real model for the golden tests (about 20 s) …");
  mkdirSync(cache, { recursive: true });
  const fresh = mkdtempSync(join(cache, "smollm2-")); // renamed when whole, so an interrupted run leaves no half model
  const run = spawnSync("bash", [tool, fresh], { encoding: "utf8", timeout: 5 * 60_000 });
  if (run.status === 0 && existsSync(join(fresh, "model.safetensors"))) {
    rmSync(folder, { recursive: true, force: true });
    renameSync(fresh, folder);
    return { folder };
  }
  rmSync(fresh, { recursive: true, force: true });
  const last = `${run.stdout ?? ""}\n${run.stderr ?? ""}`.trim().split("\n").at(-1) ?? "";
  return { folder: null, reason: `make-smollm2 ended with ${run.status ?? run.signal ?? run.error?.message}: ${last}` };
}
