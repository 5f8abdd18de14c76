// The starts of one layer: its four inputs, each prepared once, then the projections that read it.

import { readTensorF32 } from "../checkpoint/safetensors.ts";
import type { Checkpoint } from "../checkpoint/types.ts";
import { UserError } from "../errors.ts";
import { layerInputs, type GramFile } from "../nullspace/gram-file.ts";
import type { DenseKernels, Matrix } from "../nullspace/kernels.ts";
import { ReusedArray } from "../nullspace/reused-array.ts";
import type { Method } from "../nullspace/types.ts";
import { modulesOf, type Module } from "../programs/names.ts";
import type { ProjectionStart, StartContext } from "./method.ts";
import { methods } from "./methods.ts";
import type { InputEnergy } from "./start-folder.ts";

/** All that a layer's start depends on. */
export interface LayerSource {
  checkpoint: Checkpoint;
  knowledge: GramFile | null;
  task: GramFile | null;
  method: Method;
  rank: number;
  seed: number;
}

/** What one layer after another is read into. */
export interface LayerMemory {
  knowledge: ReusedArray;
  task: ReusedArray;
  weight: ReusedArray;
}

export function layerMemory(): LayerMemory {
  return { knowledge: new ReusedArray(), task: new ReusedArray(), weight: new ReusedArray() };
}

export interface LayerWork {
  kernels: DenseKernels;
  /** Used by one layer at a time. */
  memory: LayerMemory;
  sink(module: Module, start: ProjectionStart): void;
  signal?: AbortSignal;
}

/** Makes the layer's starts and returns what the calibration says about its update spaces. */
export async function layerStarts(source: LayerSource, layer: number, { kernels, memory, sink, signal }: LayerWork): Promise<InputEnergy[]> {
  const { checkpoint, knowledge, task, method, rank, seed } = source;
  const modules = modulesOf(checkpoint.config).filter((module) => module.layer === layer);
  const context: StartContext = { rank, seed, kernels, ...(signal && { signal }) };
  const energies: InputEnergy[] = [];
  for (const input of layerInputs) {
    await breathe(signal);
    const grams = { knowledge: knowledge?.read(layer, input, memory.knowledge) ?? null, task: task?.read(layer, input, memory.task) ?? null };
    const prepared = await methods[method].prepare(grams, `layer ${layer}, ${input}`, context);
    if (prepared.basis) {
      const { size, energy, energyExcess, totalEnergy, ritzValues, nextRitzValue } = prepared.basis;
      energies.push({ layer, input, size, energy, energyExcess, totalEnergy, ritzValues: [...ritzValues], nextRitzValue });
    }
    for (const module of modules.filter((each) => each.input === input)) {
      await breathe(signal);
      sink(module, await prepared.start({ name: module.name, out: module.out, in: module.in, read: () => readWeight(checkpoint, module, memory.weight) }));
    }
  }
  return energies;
}

/** Lets messages in (a cancel among them), then stops if asked to. */
async function breathe(signal?: AbortSignal): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  signal?.throwIfAborted();
}

function readWeight(checkpoint: Checkpoint, { name, out, in: size }: Module, memory: ReusedArray): Matrix {
  const values = memory.take(out * size);
  // float32 in the upper half of the place, widened from the bottom up: nothing is written over what is still to be read.
  const stored = readTensorF32(checkpoint, `${name}.weight`, new Float32Array(values.buffer, values.byteOffset + 4 * values.length, values.length));
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    const value = stored[i]!;
    values[i] = value;
    sum += Math.abs(value);
  }
  if (Number.isFinite(sum)) return { rows: out, cols: size, values };
  throw new UserError({
    what: `The weight of ${name} holds NaN or infinite values, so no start can be made from it.`,
    where: checkpoint.folder,
    fix: "Download the model again; if it stays so, the model itself is broken.",
  });
}
