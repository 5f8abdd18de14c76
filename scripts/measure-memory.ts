// Measures what training really takes and sets it beside the estimate: one engine process a setting, two steps each.
// In: a model folder (SmolLM2-135M-Instruct for the numbers in docs). Out: docs/memory.md with its table, and
// docs/memory.svg: how memory grows with length, batch and layers. All numbers in both are measured here.
//
//   node scripts/measure-memory.ts [MODEL] [--only N,N,…] [--print]

import { cpSync, linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, tmpdir, totalmem } from "node:os";
import { basename, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { startEngine } from "../main/engine/host.ts";
import type { TrainJob } from "../main/engine/train-jobs.ts";
import { openCheckpoint } from "../native-models/checkpoint/checkpoint.ts";
import { openTokenizer } from "../native-models/checkpoint/tokenizer.ts";
import { encodeRow } from "../native-models/data/encode.ts";
import type { AdapterKind } from "../native-models/programs/adapters.ts";
import { modulesOf } from "../native-models/programs/names.ts";
import type { Recomputed } from "../native-models/programs/train-program.ts";
import { writeStart } from "../native-models/starts/start-folder.ts";
import type { MemoryPlan } from "../native-models/training/memory-plan.ts";
import { drawGrowth, type Curve } from "./memory-chart.ts";

interface Setting {
  batch: number;
  length: number;
  rank: number;
  kind: AdapterKind;
  recomputed: Recomputed;
  accumulate: number;
  /** Layers of the model that are used; null: all. */
  layers: number | null;
  validates: boolean;
}

interface Measured extends Setting {
  estimate: MemoryPlan;
  measuredBytes: number;
}

const base: Setting = { batch: 4, length: 256, rank: 16, kind: "b", recomputed: "cheap", accumulate: 1, layers: null, validates: false };
const lengths = [64, 128, 256, 512];
const batches = [1, 2, 4, 8];
const layerCounts = [5, 10, 20, 30];

/** The curves of the chart first, then what else may move the peak. */
const settings: Setting[] = [
  ...lengths.map((length) => ({ ...base, length })),
  ...batches.filter((batch) => batch !== base.batch).map((batch) => ({ ...base, batch })),
  ...layerCounts.slice(0, -1).map((layers) => ({ ...base, layers })),
  ...(["none", "scores", "layer"] as const).map((recomputed) => ({ ...base, recomputed })),
  { ...base, recomputed: "layer", length: 512 },
  { ...base, recomputed: "scores", length: 512, batch: 2 },
  { ...base, rank: 64 },
  { ...base, rank: 64, kind: "both", accumulate: 2 },
  { ...base, rank: 8, kind: "zero", batch: 2, length: 128 },
  { ...base, kind: "both", batch: 1, length: 512, accumulate: 4 },
  { ...base, validates: true },
  { ...base, validates: true, batch: 2, length: 128, recomputed: "layer" },
];

export async function main(args: readonly string[]): Promise<void> {
  const model = resolve(args.find((arg) => !arg.startsWith("--")) ?? process.env["NULLSPACE_SMOLLM2"] ?? ".cache/smollm2");
  const only = args.find((arg) => arg.startsWith("--only="))?.slice(7).split(",").map(Number);
  const folder = mkdtempSync(join(tmpdir(), "nullspace-memory-"));
  const engine = startEngine();
  const measured: Measured[] = [];
  try {
    const world = makeWorld(folder, model);
    for (const [i, setting] of settings.entries()) {
      if (only && !only.includes(i)) continue;
      const job = world.jobOf(setting, i);
      const end = await engine.run(job, { emit: () => {}, signal: new AbortController().signal });
      if (end.type !== "done") throw new Error(`Setting ${i} ended as ${JSON.stringify(end)}`);
      const { estimate, measuredBytes } = end.result.memory;
      measured.push({ ...setting, estimate, measuredBytes });
      rmSync(job.out, { recursive: true, force: true });
      process.stdout.write(`${String(i).padStart(2)}  ${lineOf(measured.at(-1)!).join("  ")}  load ${loadavg()[0]!.toFixed(1)}\n`);
      if (args.includes("--terms")) process.stdout.write(`    ${JSON.stringify(Object.fromEntries(Object.entries(estimate.terms).map(([term, bytes]) => [term, Math.round(bytes / 1e6)])))}\n`);
    }
  } finally {
    await engine.close();
    rmSync(folder, { recursive: true, force: true });
  }
  if (args.includes("--print") || only) return;
  const docs = fileURLToPath(new URL("../docs/", import.meta.url));
  mkdirSync(docs, { recursive: true });
  writeFileSync(join(docs, "memory.svg"), drawGrowth(curvesOf(measured)));
  const file = join(docs, "memory.md");
  writeFileSync(file, withTable(readFileSync(file, "utf8"), tableOf(measured, basename(model))));
}

/** Starts, rows and models of fewer layers, made once each in `folder`. */
function makeWorld(folder: string, model: string) {
  const tokenizer = openTokenizer(model);
  const made = new Map<string, string>();
  const once = (name: string, make: (path: string) => void): string => {
    const path = join(folder, name);
    if (!made.has(name)) make(path);
    made.set(name, path);
    return path;
  };
  const modelOf = (layers: number | null): string => (layers === null ? model : once(`model-${layers}`, (path) => shortenModel(model, path, layers)));
  const startOf = (modelPath: string, { rank, kind, layers }: Setting): string =>
    once(`start-${rank}-${kind}-${layers}`, (path) => {
      const checkpoint = openCheckpoint(modelPath);
      const modules = modulesOf(checkpoint.config);
      const method = kind === "zero" ? "lora" : kind === "b" ? "lora-null-v2" : "lora-null-v1";
      const writer = writeStart(path, { method, kind, rank, seed: 0, modelFingerprint: checkpoint.fingerprint, gramFingerprint: null, taskGramFingerprint: null, modules });
      for (const { name, out, in: size } of modules) {
        const singularValues = kind === "zero" ? null : new Float32Array(rank).fill(1);
        writer.write(name, { a: new Float32Array(rank * size).fill(1e-3), b: new Float32Array(out * rank).fill(kind === "zero" ? 0 : 1e-3), singularValues } as Parameters<typeof writer.write>[1]);
      }
      writer.finish([]);
    });
  const rowsOf = (length: number): string =>
    once(`rows-${length}.jsonl`, (path) => {
      // Half prompt, half answer; words of one token each until the row has exactly that many tokens.
      const tokens = (words: number): number => encodeRow(rowOf(words), tokenizer, "chat").ids.length;
      let words = Math.max(2, length - tokens(0));
      while (tokens(words) > length) words -= 1;
      // Rows that differ from their first word on: what they share is the template's own beginning.
      writeFileSync(path, firstWords.map((first) => `${JSON.stringify(plainRow(words, first))}\n`).join(""));
    });
  return {
    jobOf(setting: Setting, index: number): TrainJob {
      const modelPath = modelOf(setting.layers);
      const { batch, length, recomputed, accumulate } = setting;
      return {
        kind: "train", model: modelPath, init: startOf(modelPath, setting), data: rowsOf(length), template: "chat", steps: 2, epochs: null,
        batch, accumulate, length, learningRate: 1e-4, warmupRatio: 0, clipNorm: 1, weightDecay: 0, checkpointEverySteps: 100, recomputed, memoryBytes: null,
        validation: setting.validates ? { from: { rows: 8 }, everySteps: 1, patience: null, leastImprovementNats: 0, keeps: "best" } : null,
        retention: null, seed: 0, out: join(folder, `run-${index}`), resume: false,
      };
    },
  };
}

/** Words of one token each. */
const firstWords = "go no so we he me be my by us it is in on at up or an as do if of to all and any are bad big but can car".split(" ");

function plainRow(words: number, first = "go"): { prompt: string; completion: string } {
  const half = Math.floor(words / 2);
  return { prompt: `${first}${" on".repeat(half)}`, completion: `go${" on".repeat(words - half)}` };
}

function rowOf(words: number): Parameters<typeof encodeRow>[0] {
  const { prompt, completion } = plainRow(words);
  return { turns: [{ role: "user", content: prompt, isTrained: false }, { role: "assistant", content: completion, isTrained: true }] } as Parameters<typeof encodeRow>[0];
}

/** The model's first layers as a model of its own: the same files, another number of layers. */
function shortenModel(model: string, path: string, layers: number): void {
  mkdirSync(path);
  for (const name of readdirSync(model)) {
    if (name === "config.json" || name === "gguf") continue;
    if (name.endsWith(".safetensors")) linkOrCopy(join(model, name), join(path, name));
    else cpSync(join(model, name), join(path, name), { recursive: true });
  }
  const config = JSON.parse(readFileSync(join(model, "config.json"), "utf8")) as Record<string, unknown>;
  writeFileSync(join(path, "config.json"), JSON.stringify({ ...config, num_hidden_layers: layers }));
}

/** A hard link where the disk allows one: the runtime refuses weights behind symbolic links. */
function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(realpathSync(from), to);
  } catch {
    cpSync(from, to, { dereference: true });
  }
}

function curvesOf(measured: readonly Measured[]): Curve[] {
  const at = (change: Partial<Setting>) => measured.find((one) => Object.entries({ ...base, ...change }).every(([key, value]) => one[key as keyof Setting] === value))!;
  const curve = (label: string, values: readonly number[], change: (value: number) => Partial<Setting>): Curve => ({
    label,
    points: values.map((value) => ({ x: value, measuredBytes: at(change(value)).measuredBytes, estimatedBytes: at(change(value)).estimate.totalBytes })),
  });
  return [
    curve("tokens a row (batch 4, 30 layers)", lengths, (length) => ({ length })),
    curve("rows a micro-batch (256 tokens, 30 layers)", batches, (batch) => ({ batch })),
    curve("layers (batch 4, 256 tokens)", layerCounts, (layers) => ({ layers: layers === 30 ? null : layers })),
  ];
}

const head = ["batch", "tokens a row", "rank", "adapter", "recomputed", "layers", "sums", "validates", "estimate GB", "measured GB", "off by"];

function lineOf({ batch, length, rank, kind, recomputed, layers, accumulate, validates, estimate, measuredBytes }: Measured): string[] {
  const off = (estimate.totalBytes / measuredBytes - 1) * 100;
  const adapter = { both: "A and B, less start", b: "B, less start", zero: "A and B" }[kind];
  return [batch, length, rank, adapter, recomputed, layers ?? 30, accumulate, validates ? "yes" : "no", (estimate.totalBytes / 1e9).toFixed(2), (measuredBytes / 1e9).toFixed(2), `${off > 0 ? "+" : ""}${off.toFixed(1)} %`].map(String);
}

function tableOf(measured: readonly Measured[], model: string): string {
  const worst = Math.max(...measured.map(({ estimate, measuredBytes }) => Math.abs(estimate.totalBytes / measuredBytes - 1)));
  const [cpu] = cpus();
  return [
    `${measured.length} settings on ${model}, two steps each in a process of its own. Worst difference ${(worst * 100).toFixed(1)} %.`,
    `Measured on ${availableParallelism()} × ${cpu?.model.trim() ?? "unknown processor"}, ${Math.round(totalmem() / 1e9)} GB, Node ${process.versions.node}, ${process.platform}.`,
    "",
    `| ${head.join(" | ")} |`,
    `|${head.map(() => "---").join("|")}|`,
    ...measured.map((one) => `| ${lineOf(one).join(" | ")} |`),
  ].join("\n");
}

const [opening, closing] = ["<!-- measured: scripts/measure-memory.ts -->", "<!-- end of measured -->"];

function withTable(text: string, table: string): string {
  const [from, to] = [text.indexOf(opening), text.indexOf(closing)];
  if (from < 0 || to < from) throw new Error(`docs/memory.md lacks the marks ${opening} and ${closing}`);
  return `${text.slice(0, from + opening.length)}\n${table}\n${text.slice(to)}`;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) await main(process.argv.slice(2));
