// Random adapters for tiny models, as readPeftAdapter gives them, and the same for the float64 reference.

import type { PeftAdapter } from "../../native-models/adapter/peft.ts";
import type { Checkpoint } from "../../native-models/checkpoint/types.ts";
import { modulesOf } from "../../native-models/programs/names.ts";
import type { NaiveUpdates } from "./naive-llama.ts";
import { seededNormal } from "./tiny-model.ts";

export interface TinyAdapterOptions {
  rank: number;
  seed: number;
  /** alpha/rank. */
  scale?: number;
  /** Part of the names of the modules that are adapted; default all. */
  only?: string;
}

/** An adapter strong enough to change what the model says. */
export function tinyPeftAdapter({ config }: Checkpoint, { rank, seed, scale = 1, only = "" }: TinyAdapterOptions): PeftAdapter {
  const normal = seededNormal(seed);
  const draw = (size: number, width: number): Float32Array => Float32Array.from({ length: size }, () => width * normal());
  const modules = modulesOf(config)
    .filter(({ name }) => name.includes(only))
    .map(({ name, out, in: size }) => ({ name, in: size, out, rank, scale, a: draw(rank * size, 1 / Math.sqrt(size)), b: draw(out * rank, 0.5) }));
  return { folder: "", baseModelName: null, modules, ranks: [rank] };
}

export function updatesOfPeft({ modules }: PeftAdapter): NaiveUpdates {
  return new Map(modules.map(({ name, rank, scale, a, b }) => [name, [{ rank, a, b: Float64Array.from(b, (x) => x * scale), sign: 1 as const }]]));
}
