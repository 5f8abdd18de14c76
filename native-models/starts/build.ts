// A start for every projection of a model.
// In: the checkpoint, the Gram files, a method and a rank. Out: A and B of each module, handed to `sink` as they come.
// Layers are independent, so they are shared out to worker threads with one thread of matrix products each: measured on
// two cores, that beats two threads inside one product, which wait on each other at D = 576. Fewer workers, with more
// threads each, where memory is short: a worker holds a Gram (8·D² bytes), about twice that to solve it, and one weight.

import { availableParallelism, freemem } from "node:os";
import type { Checkpoint } from "../checkpoint/types.ts";
import { UserError } from "../errors.ts";
import { requireGramsOf, type GramFile } from "../nullspace/gram-file.ts";
import type { Method } from "../nullspace/types.ts";
import { modulesOf, type Module } from "../programs/names.ts";
import { openSolverKernels, solverLine } from "../runtime/solver-kernels.ts";
import { layerMemory, layerStarts, type LayerSource } from "./layer-starts.ts";
import type { ProjectionStart } from "./method.ts";
import { methods } from "./methods.ts";
import type { InputEnergy } from "./start-folder.ts";
import { startsInWorkers } from "./workers.ts";

export interface BuildOptions {
  checkpoint: Checkpoint;
  /** Gram of the text to keep; null only for a method that needs none. */
  gramFile: GramFile | null;
  /** Gram of the training prompts, for methods that look at the task. */
  taskGramFile?: GramFile | null;
  method: Method;
  rank: number;
  seed: number;
  /** Called once a module, layers in any order; what it gets is not kept. */
  sink(module: Module, start: ProjectionStart): void;
  onProgress?(layersDone: number, layers: number): void;
  /** What solves, before the first layer, and again where a device fails and the CPU goes on. */
  onSolver?(line: string): void;
  signal?: AbortSignal;
  /** Worker threads; default by cores and memory, 1 works in this thread. */
  workers?: number;
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
  const { checkpoint, method, rank, seed, sink, onProgress, onSolver, signal } = options;
  const { layers } = checkpoint.config;
  const modules = modulesOf(checkpoint.config);
  requireRank(modules, rank);
  const source: LayerSource = { checkpoint, ...neededGrams(options), method, rank, seed };
  const workers = Math.min(layers, options.workers ?? workersFor(modules));
  const threads = Math.max(1, Math.floor(availableParallelism() / workers));

  const energies: InputEnergy[] = [];
  let layersDone = 0;
  const layerDone = (found: readonly InputEnergy[]): void => {
    energies.push(...found);
    onProgress?.(++layersDone, layers);
  };
  if (methods[method].grams !== "none") onSolver?.(await solverLine());
  const passOn = { sink, layerDone, ...(onSolver && { onNote: onSolver }), ...(signal && { signal }) };
  if (workers === 1) await inThisThread(source, threads, passOn);
  else await startsInWorkers(source, { workers, threads, ...passOn });
  energies.sort((a, b) => a.layer - b.layer);
  return {
    modules: modules.length,
    parameters: modules.reduce((sum, module) => sum + rank * (module.in + module.out), 0),
    energies,
    energyShare: shareOf(energies),
  };
}

interface PassedOn extends Pick<BuildOptions, "sink" | "signal"> {
  layerDone(found: readonly InputEnergy[]): void;
  onNote?(line: string): void;
}

async function inThisThread(source: LayerSource, threads: number, { sink, layerDone, onNote, signal }: PassedOn): Promise<void> {
  const kernels = await openSolverKernels({ threads, ...(onNote && { onNote }) });
  const memory = layerMemory();
  try {
    for (let layer = 0; layer < source.checkpoint.config.layers; layer++) layerDone(await layerStarts(source, layer, { kernels, memory, sink, ...(signal && { signal }) }));
  } finally {
    await kernels.release();
  }
}

/** At most eight, at most one a core, and no more than half of the free memory allows. */
function workersFor(modules: readonly Module[]): number {
  const widest = modules.reduce((most, module) => Math.max(most, module.in), 1);
  const heaviest = modules.reduce((most, module) => Math.max(most, module.in * module.out), 1);
  const neededBytes = 8 * (3 * widest * widest + heaviest);
  return Math.max(1, Math.min(8, availableParallelism(), Math.floor(freemem() / 2 / neededBytes)));
}

function neededGrams({ checkpoint, gramFile, taskGramFile = null, method }: BuildOptions): Pick<LayerSource, "knowledge" | "task"> {
  const need = methods[method].grams;
  const knowledge = needed(need === "knowledge" || need === "knowledge and task", gramFile, method, "knowledge");
  const task = needed(need === "task" || need === "knowledge and task", taskGramFile, method, "task");
  for (const file of [knowledge, task]) if (file) requireGramsOf(file, checkpoint.fingerprint, checkpoint.config);
  return { knowledge, task };
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
    where: text === "task" ? "init: taskGrams" : "init: grams",
    fix: text === "task" ? "Run `nullspace calibrate --data` on the training rows and give its file with --task-grams, or choose another method." : "Run `nullspace calibrate` first and give its file with --grams, or choose the method lora.",
  });
}

function shareOf(energies: readonly InputEnergy[]): number | null {
  const total = energies.reduce((sum, each) => sum + each.totalEnergy, 0);
  return total > 0 ? energies.reduce((sum, each) => sum + each.energy, 0) / total : null;
}
