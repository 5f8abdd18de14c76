// Holds the direction of the layers: renderer → main/rpc → main/services → main/engine → native-models.
// In: every .ts and .svelte file of those folders. Out: one test a rule; a breach is named as "file → import".

import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { repoRoot } from "../support/shared-paths.ts";
import { importTarget, readImports } from "./read-imports.ts";

interface Edge {
  file: string;
  target: string;
  isTypeOnly: boolean;
}

const layers = [
  "renderer",
  "main/app",
  "main/cli",
  "main/rpc",
  "main/services",
  "main/db",
  "main/engine",
  "native-models",
] as const;
type Layer = (typeof layers)[number];

/** What each layer may call. Types alone may come from any layer further down: they are plain data. */
const mayCall: Record<Layer, readonly Layer[]> = {
  renderer: ["main/rpc"],
  "main/app": ["main/rpc", "main/services", "main/engine"],
  "main/cli": ["main/rpc", "main/services", "main/engine"],
  "main/rpc": ["main/services"],
  "main/services": ["main/db", "main/engine"],
  "main/db": [],
  "main/engine": ["native-models"],
  "native-models": [],
};

/** Rows of the database are what the engine reports, under its names. */
const mayName: Partial<Record<Layer, readonly Layer[]>> = { "main/db": ["main/engine"] };

/** The one thing every layer of the main process shares: the error a user is shown. */
const vocabulary = "native-models/errors.ts";

/** Packages that belong to one place. */
const homes: readonly { packages: readonly string[]; home: string }[] = [
  { packages: ["onnxruntime-node", "onnxruntime-common"], home: "native-models/runtime/" },
  { packages: ["koffi"], home: "native-models/runtime/cuda-libraries.ts" },
  { packages: ["better-sqlite3"], home: "main/db/" },
  { packages: ["electron"], home: "main/app/" },
  { packages: ["svelte", "uplot", "@tanstack/svelte-virtual"], home: "renderer/" },
  { packages: ["ws"], home: "main/rpc/" },
];

const sources = globSync(["main/**/*.ts", "native-models/**/*.ts", "renderer/**/*.ts", "renderer/**/*.svelte"], {
  cwd: repoRoot,
}).map((file) => file.replaceAll("\\", "/"));

const edges: Edge[] = sources.flatMap((file) =>
  readImports(file, readFileSync(join(repoRoot, file), "utf8")).map(({ specifier, isTypeOnly }) => ({
    file,
    target: importTarget(repoRoot, join(repoRoot, file), specifier),
    isTypeOnly,
  })),
);

describe("the layers", () => {
  test("every source lies in one of them", () => {
    expect(sources.filter((file) => layerOf(file) === null)).toEqual([]);
  });

  test("each calls only the next one down", () => {
    expect(breaches(({ file, target, isTypeOnly }) => !isAllowed(file, target, isTypeOnly))).toEqual([]);
  });

  test("only main/services imports main/db", () => {
    const owners: (Layer | null)[] = ["main/services", "main/db"];
    expect(breaches(({ file, target }) => layerOf(target) === "main/db" && !owners.includes(layerOf(file)))).toEqual([]);
  });

  test("the window knows main/rpc and nothing else of the main process", () => {
    const own: (Layer | null)[] = ["renderer", "main/rpc"];
    const isOutside = (target: string): boolean => layerOf(target) !== null && !own.includes(layerOf(target));
    expect(breaches(({ file, target }) => layerOf(file) === "renderer" && isOutside(target))).toEqual([]);
  });

  test("the window uses nothing of Node", () => {
    expect(breaches(({ file, target }) => layerOf(file) === "renderer" && target.startsWith("node:"))).toEqual([]);
  });
});

test.each(homes)("only $home imports $packages", ({ packages, home }) => {
  expect(breaches(({ file, target }) => packages.includes(target) && !file.startsWith(home))).toEqual([]);
});

describe("reading imports", () => {
  const text = [
    'import type { A } from "./a.ts";',
    'import { type B } from "./b.ts";',
    'import { type C, d } from "./d.ts";',
    'export * from "./e.ts";',
    'const f = await import("./f.ts");',
    'type G = import("./g.ts").G;',
    '// import { no } from "./comment.ts";',
  ].join("\n");

  test("sees static, dynamic and type imports, and no comments", () => {
    const read = readImports("x.ts", text).map(({ specifier, isTypeOnly }) => `${specifier}${isTypeOnly ? " type" : ""}`);
    expect(read).toEqual(["./a.ts type", "./b.ts type", "./d.ts", "./e.ts", "./f.ts", "./g.ts type"]);
  });

  test("sees the scripts of a component", () => {
    const component = '<script module lang="ts">import "./m.ts";</script><script lang="ts">import x from "y/z";</script><p>import "no"</p>';
    expect(readImports("X.svelte", component).map(({ specifier }) => specifier)).toEqual(["./m.ts", "y/z"]);
  });
});

function isAllowed(file: string, target: string, isTypeOnly: boolean): boolean {
  const from = layerOf(file);
  const to = layerOf(target);
  if (from === null || to === null || from === to) return true; // packages, and files that the first test names
  if (target === vocabulary && from !== "renderer") return true;
  return mayCall[from].includes(to) || (isTypeOnly && (below(from).has(to) || (mayName[from] ?? []).includes(to)));
}

function below(layer: Layer): Set<Layer> {
  const reached = new Set<Layer>();
  const visit = (next: Layer): void => {
    for (const lower of mayCall[next]) {
      if (!reached.has(lower)) visit((reached.add(lower), lower));
    }
  };
  visit(layer);
  return reached;
}

function layerOf(path: string): Layer | null {
  return layers.find((layer) => path === layer || path.startsWith(`${layer}/`)) ?? null;
}

function breaches(isBreach: (edge: Edge) => boolean): string[] {
  return edges.filter(isBreach).map(({ file, target }) => `${file} → ${target}`);
}
