// A start for every projection of a model, layer by layer.
// In: the checkpoint, the Gram file, a method and a rank. Out: A and B of each module, handed to `sink` as they come.
// Held at a time: one Gram (8·D² bytes), its solver's workspace and one weight in float64.

import { availableParallelism } from "node:os";
import { readTensorF32 } from "../checkpoint/safetensors.ts";
import type { Checkpoint } from "../checkpoint/types.ts";
import { UserError } from "../errors.ts";
import { layerInputs, requireGramsOf, type GramFile } from "../nullspace/gram-file.ts";
import type { Method } from "../nullspace/types.ts";
import { modulesOf, type Module } from "../programs/names.ts";
import { openDenseKernels } from "../runtime/dense-kernels.ts";
import type { ProjectionStart, StartContext } from "./method.ts";
import { methods } from "./methods.ts";
import type { InputEnergy } from "./start-folder.ts";

export interface BuildOptions {
  checkpoint: Checkpoint;
  /** Gram of the text to keep; null only for a method that needs none. */
  gramFile: GramFile | null;
  /** Gram of the training prompts, for methods that look at the task. */
  taskGramFile?: GramFile | null;
  method: Method;
  rank: number;
  seed: number;
  /** Called once a module, in the order of the model; what it gets is not kept. */
  sink(module: Module, start: ProjectionStart): void;
  onProgress?(layersDone: number, layers: number): void;
  signal?: AbortSignal;
  /** Threads of a matrix product; default all of the machine's. */
  threads?: number;
}

export interface BuildResult {
  modules: number;
  /** Σ R·(in + out). */
  parameters: number;
  energies: InputEnergy[];
  /** Σ over layer inputs of the energy inside the update space, as a share of the total; null without a space. */
  energyShare: number | null;
}

export async function buildStarts(options: BuildOptions): Promise<BuildResult> {
  const { checkpoint, gramFile, taskGramFile = null, method, rank, signal } = options;
  const { config } = checkpoint;
  const modules = modulesOf(config);
  requireRank(modules, rank);
  const { grams: need, prepare } = methods[method];
  const knowledge = needed(need !== "none" && need !== "task", gramFile, method, "knowledge");
  const task = needed(need === "task" || need === "knowledge and task", taskGramFile ?? (need === "task" ? gramFile : null), method, "task");
  for (const file of [knowledge, task]) if (file) requireGramsOf(file, checkpoint.fingerprint, config);

  const kernels = await openDenseKernels({ threads: options.threads ?? availableParallelism() });
  const energies: InputEnergy[] = [];
  try {
    for (let layer = 0; layer < config.layers; layer++) {
      for (const input of layerInputs) {
        await breathe(signal);
        const where = `layer ${layer}, ${input}`;
        const context: StartContext = { rank, seed: options.seed, kernels, ...(signal && { signal }) };
        const grams = { knowledge: knowledge?.read(layer, input) ?? null, task: task?.read(layer, input) ?? null };
        const prepared = await prepare(grams, where, context);
        if (prepared.basis) {
          const { size, energy, energyExcess, totalEnergy, ritzValues, nextRitzValue } = prepared.basis;
          energies.push({ layer, input, size, energy, energyExcess, totalEnergy, ritzValues: [...ritzValues], nextRitzValue });
        }
        for (const module of modules.filter((each) => each.layer === layer && each.input === input)) {
          await breathe(signal);
          const values = new Float64Array(readTensorF32(checkpoint, `${module.name}.weight`));
          const start = await prepared.start({ name: module.name, weight: { rows: module.out, cols: module.in, values } });
          requireFinite(start, module.name, checkpoint.folder);
          options.sink(module, start);
        }
      }
      options.onProgress?.(layer + 1, config.layers);
    }
  } finally {
    await kernels.release();
  }
  return {
    modules: modules.length,
    parameters: modules.reduce((sum, module) => sum + rank * (module.in + module.out), 0),
    energies,
    energyShare: shareOf(energies),
  };
}

/** Lets messages in (a cancel among them), then stops if asked to. */
async function breathe(signal?: AbortSignal): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  signal?.throwIfAborted();
}

function requireRank(modules: readonly Module[], rank: number): void {
  if (!Number.isSafeInteger(rank) || rank < 1) {
    throw new UserError({ what: `The rank is ${rank}; it must be a whole number from 1.`, where: "init: rank", fix: "Choose a rank such as 16." });
  }
  const smallest = modules.reduce((a, b) => (Math.min(b.out, b.in) < Math.min(a.out, a.in) ? b : a));
  const most = Math.min(smallest.out, smallest.in);
  if (rank <= most) return;
  throw new UserError({
    what: `Rank ${rank} does not fit ${smallest.name}: its weight is ${smallest.out} × ${smallest.in}, so ${most} is the most.`,
    where: "init: rank",
    fix: `Choose a rank up to ${most}.`,
  });
}

function needed(isNeeded: boolean, file: GramFile | null, method: Method, text: string): GramFile | null {
  if (!isNeeded) return null;
  if (file) return file;
  throw new UserError({
    what: `The method ${method} looks at a Gram file of ${text} text and none was given.`,
    where: "init: grams",
    fix: "Run `nullspace calibrate` first and give its file with --grams, or choose the method lora.",
  });
}

function requireFinite({ a, b }: ProjectionStart, name: string, folder: string): void {
  for (const values of [a, b]) {
    for (const value of values) {
      if (!Number.isFinite(value)) {
        throw new UserError({
          what: `The weight of ${name} holds NaN or infinite values, so no start can be made from it.`,
          where: folder,
          fix: "Download the model again; if it stays so, the model itself is broken.",
        });
      }
    }
  }
}

function shareOf(energies: readonly InputEnergy[]): number | null {
  const total = energies.reduce((sum, each) => sum + each.totalEnergy, 0);
  return total > 0 ? energies.reduce((sum, each) => sum + each.energy, 0) / total : null;
}
