// The machine and the app, for the window's first page and for reports.

import { existsSync, readFileSync, readdirSync } from "node:fs";
import { cpus, freemem, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { SystemInfo } from "./shapes/app.ts";

/** The folder with package.json, samples/ and dist/: the checkout, or the packaged app. */
export function appRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error("No package.json above the app's own files");
    folder = parent;
  }
  return folder;
}

export function appVersion(): string {
  const parsed = JSON.parse(readFileSync(join(appRoot(), "package.json"), "utf8")) as { version: string };
  return parsed.version;
}

export function samplesFolder(): string {
  return join(appRoot(), "samples");
}

/** The data files that come with the app. */
export function shippedSamples(): SystemInfo["samples"] {
  const samples = samplesFolder();
  if (!existsSync(samples)) return [];
  return readdirSync(samples).filter((name) => name.endsWith(".jsonl")).sort().map((name) => ({ name, path: join(samples, name) }));
}

export function systemInfo(home: string): SystemInfo {
  const cores = cpus();
  return {
    version: appVersion(),
    node: process.versions.node,
    platform: process.platform,
    arch: process.arch,
    cpus: cores.length,
    cpuName: cores[0]?.model.trim() ?? "unknown",
    memoryBytes: totalmem(),
    freeMemoryBytes: freemem(),
    home,
    samples: shippedSamples(),
  };
}
