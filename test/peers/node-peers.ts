// Peers that are npm packages, in a folder of their own under .cache/peers-node: no dependency of ours.
// In: npm on PATH and a registry. Out: the folder, or the reason why there is none. Cost: about 700 MB on disk.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const repoRoot = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

export const llamaPackage = { name: "node-llama-cpp", version: "3.22.1" } as const;

export type NodePeers = { folder: string } | { folder: null; reason: string };

/** node-llama-cpp with its prebuilt llama.cpp; nothing is compiled. */
export function nodePeers(say: (line: string) => void): NodePeers {
  const folder = join(repoRoot, ".cache/peers-node");
  if (existsSync(join(folder, "node_modules", llamaPackage.name, "package.json"))) return { folder };
  say(`Installing ${llamaPackage.name} ${llamaPackage.version} in .cache/peers-node …`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const env = { ...process.env, NODE_LLAMA_CPP_SKIP_DOWNLOAD: "true" };
  const made = spawnSync(npm, ["install", "--no-audit", "--no-fund", `${llamaPackage.name}@${llamaPackage.version}`], { cwd: folder, env, encoding: "utf8", shell: process.platform === "win32" });
  return made.status === 0 ? { folder } : { folder: null, reason: `npm install ${llamaPackage.name}: ${(made.stderr ?? String(made.error)).trim().split("\n").at(-1) ?? ""}` };
}
