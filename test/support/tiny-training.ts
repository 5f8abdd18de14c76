// Small things to train on tiny models: rows, adapters of every kind, and a trainer on one thread.
// In: seeds and sizes. Out: what programs/train-program.ts and training/trainer.ts take, and the same as NaiveUpdates.

import { openCheckpoint } from "../../native-models/checkpoint/checkpoint.ts";
import type { Checkpoint } from "../../native-models/checkpoint/types.ts";
import type { AdamWSettings } from "../../native-models/programs/adamw-program.ts";
import type { AdapterKind } from "../../native-models/programs/adapters.ts";
import { modulesOf } from "../../native-models/programs/names.ts";
import { buildTrainProgram, type Recomputed, type TrainRow } from "../../native-models/programs/train-program.ts";
import { createState, type TrainState } from "../../native-models/training/state.ts";
import { createTrainer, type Trainer } from "../../native-models/training/trainer.ts";
import type { NaiveUpdate, NaiveUpdates } from "./naive-llama.ts";
import { seededRandom } from "./seeded-random.ts";
import { seededNormal, tinyVocabulary, writeTinyModel, type TinyModelOptions } from "./tiny-model.ts";

export const adapterKinds: readonly AdapterKind[] = ["zero", "both", "b"];

export const plainAdamW: AdamWSettings = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, clipNorm: null };

export function tinyCheckpoint(folder: string, options: TinyModelOptions = {}): Checkpoint {
  writeTinyModel(folder, options);
  return openCheckpoint(folder);
}

/** A row of random ids; the last `trained` of them are targets. */
export function tinyRow(length: number, trained: number, seed: number): TrainRow {
  const random = seededRandom(seed);
  return {
    ids: Int32Array.from({ length }, () => 3 + Math.floor(random() * (tinyVocabulary - 3))),
    isTrained: Uint8Array.from({ length }, (_, t) => (t >= length - trained ? 1 : 0)),
  };
}

/** A, B, A0 and B0 of every module, none of them zero: scales at which each part of the update can be seen. */
export function tinyAdapters({ config }: Checkpoint, rank: number, seed: number): Map<string, Float32Array> {
  const normal = seededNormal(seed);
  const draw = (size: number, scale: number): Float32Array => Float32Array.from({ length: size }, () => scale * normal());
  return new Map(
    modulesOf(config).flatMap(({ name, out, in: size }) =>
      ["A", "B", "A0", "B0"].map((part) => [`${name}.${part}`, part.startsWith("A") ? draw(rank * size, 1 / Math.sqrt(size)) : draw(out * rank, 0.2)] as const),
    ),
  );
}

/** What an adapter of `kind` adds to each module. Where A stays, the start has the same A. */
export function updatesOf(tensors: ReadonlyMap<string, ArrayLike<number>>, rank: number, kind: AdapterKind): NaiveUpdates {
  const modules = [...tensors.keys()].filter((name) => name.endsWith(".A")).map((name) => name.slice(0, -2));
  return new Map(
    modules.map((name) => {
      const pair = (a: string, b: string, sign: 1 | -1): NaiveUpdate => ({ rank, a: tensors.get(`${name}.${a}`)!, b: tensors.get(`${name}.${b}`)!, sign });
      const start = kind === "zero" ? [] : [pair(kind === "b" ? "A" : "A0", "B0", -1)];
      return [name, [pair("A", "B", 1), ...start]];
    }),
  );
}

export interface TinyTrainerOptions {
  checkpoint: Checkpoint;
  kind: AdapterKind;
  rank: number;
  tensors: ReadonlyMap<string, Float32Array>;
  recomputed?: Recomputed;
  optimizer?: AdamWSettings;
}

export async function tinyTrainer({ checkpoint, kind, rank, tensors, recomputed, optimizer = plainAdamW }: TinyTrainerOptions): Promise<{ trainer: Trainer; state: TrainState }> {
  const compiled = buildTrainProgram(checkpoint, { rank, kind, maxLength: 64, ...(recomputed && { recomputed }) });
  const read = (name: string): Float32Array => tensors.get(name)!;
  const state = createState(compiled.trainable, read);
  const trainer = await createTrainer({ checkpoint, compiled, fixed: read, state, optimizer, session: { threads: 1 } });
  return { trainer, state };
}

/** ‖actual − expected‖ / ‖expected‖. */
export function relativeDistance(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [difference, scale] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    difference += (actual[i]! - expected[i]!) ** 2;
    scale += expected[i]! ** 2;
  }
  return Math.sqrt(difference / scale);
}
