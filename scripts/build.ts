// `npm run build`: everything that the packaged app runs, under dist/.
// In: renderer/, main/, native-models/. Out: dist/renderer (the window), dist/main and dist/native-models (the same
// modules, one file each, types taken out, .ts imports turned into .js), dist/main/app/preload.cjs (one file, as a
// sandboxed preload script must be). Packages stay in node_modules: some are native.

import { globSync, rmSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type InlineConfig } from "vite";
import { buildRenderer } from "./renderer.ts";

const repoRoot = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const dist = join(repoRoot, "dist");

const isExternal = (id: string): boolean => !id.startsWith(".") && !id.startsWith("/") && !/^[A-Za-z]:[\\/]/.test(id);

const common: InlineConfig = { root: repoRoot, configFile: false, publicDir: false, logLevel: "warn" };

/** All modules of the main process, the engine process and the command line. */
export async function buildMain(outDir: string = dist): Promise<void> {
  const sources = globSync(["main/**/*.ts", "native-models/**/*.ts"], { cwd: repoRoot }).filter(
    (file) => !file.endsWith("preload.ts") && !file.endsWith(".d.ts"),
  );
  for (const folder of ["main", "native-models"]) rmSync(join(outDir, folder), { recursive: true, force: true });
  await build({
    ...common,
    build: {
      ssr: true,
      target: "node24",
      outDir,
      emptyOutDir: false,
      minify: false,
      rolldownOptions: {
        input: sources.map((file) => join(repoRoot, file)),
        external: isExternal,
        treeshake: false,
        output: { format: "es", preserveModules: true, preserveModulesRoot: repoRoot, entryFileNames: "[name].js" },
      },
    },
  });
}

export async function buildPreload(outDir: string = dist): Promise<void> {
  await build({
    ...common,
    build: {
      ssr: true,
      outDir: join(outDir, "main/app"),
      emptyOutDir: false,
      minify: false,
      rolldownOptions: {
        input: join(repoRoot, "main/app/preload.ts"),
        external: ["electron", ...builtinModules, /^node:/],
        output: { format: "cjs", entryFileNames: "preload.cjs" },
      },
    },
  });
}

async function buildAll(): Promise<void> {
  await buildRenderer(repoRoot);
  await buildMain();
  await buildPreload();
  console.log("Built dist/renderer, dist/main and dist/native-models.");
}

if (import.meta.main) await buildAll();
