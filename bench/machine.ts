// The machine and the versions that figures are read beside.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, freemem, loadavg, totalmem } from "node:os";
import { join } from "node:path";
import { repoRoot } from "./places.ts";
import type { Check, Machine } from "./report.ts";

export function thisMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown processor",
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    freeMemoryBytes: freemem(),
    platform: `${process.platform} ${process.arch}`,
    loadBefore: loadavg(),
  };
}

/** Other work on the machine makes every figure doubtful, and slows both sides unequally. */
export function quietCheck({ loadBefore, cores }: Machine): Check {
  const most = 0.25 * cores;
  return { what: "the machine had nothing else to do", found: `load ${loadBefore[0]!.toFixed(2)} before`, wanted: `at most ${most} on ${cores} cores`, holds: loadBefore[0]! <= most };
}

export function ourVersions(): Record<string, string> {
  const versionIn = (file: string): string => (JSON.parse(readFileSync(join(repoRoot, file), "utf8")) as { version: string }).version;
  const revision = git("rev-parse", "--short", "HEAD");
  const isChanged = git("status", "--porcelain", "--untracked-files=no", "native-models", "main/engine") !== "";
  return {
    nullspace: `${versionIn("package.json")}${revision === "" ? "" : ` (${revision}${isChanged ? " with changes" : ""})`}`,
    node: process.versions.node,
    "onnxruntime-node": versionIn("node_modules/onnxruntime-node/package.json"),
  };
}

/** Output of a git command, or nothing where this is no git checkout. */
function git(...args: string[]): string {
  const run = spawnSync("git", args, { cwd: repoRoot, encoding: "utf8" });
  return run.status === 0 ? run.stdout.trim() : "";
}
