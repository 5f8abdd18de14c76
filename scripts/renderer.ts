// The built window: is it there, is it older than its sources, and building it.
// In: renderer/, the rpc contract it is compiled with, vite.config.ts, package-lock.json. Out: dist/renderer.

import { existsSync, globSync, statSync } from "node:fs";
import { join } from "node:path";
import { build } from "vite";

const sources = ["renderer/**/*", "main/rpc/**/*.ts", "main/services/{shapes,params,probe-tasks}.ts", "vite.config.ts", "package-lock.json"];

export function isRendererStale(repoRoot: string): boolean {
  const built = join(repoRoot, "dist/renderer/index.html");
  if (!existsSync(built)) return true;
  const builtMs = statSync(built).mtimeMs;
  return globSync(sources, { cwd: repoRoot }).some((file) => statSync(join(repoRoot, file)).mtimeMs > builtMs);
}

export async function buildRenderer(repoRoot: string): Promise<void> {
  await build({ configFile: join(repoRoot, "vite.config.ts"), logLevel: "warn" });
}
