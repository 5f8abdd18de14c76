// A model's weights in blocks of integers, in a file of their own in the app's cache: made from the model's folder once,
// found again by the model's fingerprint, the width and this file's version. Projections and the output head are rounded;
// the embedding and the norms are copied as they are, because the runtime reads one folder only.
// In: a checkpoint. Out: the folder and the places of its tensors, for programs/quantised-weights.ts.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as yieldToMessages } from "node:timers/promises";
import { createSafetensors, type TensorPlan } from "../checkpoint/safetensors-writer.ts";
import { readSafetensorsHeader, type SafetensorsEntry } from "../checkpoint/safetensors-header.ts";
import { openSafetensors, readTensorF32 } from "../checkpoint/safetensors.ts";
import type { Checkpoint, TensorEntry } from "../checkpoint/types.ts";
import { embeddingName, finalNormName, groupsOf, headName } from "../programs/names.ts";
import { blockSize, quantisedShapes, quantiseRows, type Bits } from "./blocks.ts";

export type Width = "float32" | "int8" | "int4";
export const widths = ["float32", "int8", "int4"] as const satisfies readonly Width[];

/** Of a rounded matrix. The head keeps 8 bits at every width, as llama.cpp's 4-bit files have it: it decides between tokens. */
export function bitsOf(width: Exclude<Width, "float32">, name: string): Bits {
  return width === "int8" || name === quantisedHead ? 8 : 4;
}

/** Of the file's layout and rounding: a file of another version is made anew. */
const version = 2;
const fileName = "rounded.safetensors";

export interface QuantisedModel {
  width: Exclude<Width, "float32">;
  /** Holds `file`, with all that the answering program reads. */
  folder: string;
  file: string;
  entries: ReadonlyMap<string, SafetensorsEntry>;
}

export interface PrepareOptions {
  checkpoint: Checkpoint;
  width: Exclude<Width, "float32">;
  /** Where such files are kept. */
  cache: string;
  onProgress?: (doneBytes: number, totalBytes: number) => void;
  signal?: AbortSignal;
}

/** The file of a model and width, made if it is not there. UserError where the disk has no room or cannot be written. */
export async function prepareQuantised({ checkpoint, width, cache, onProgress, signal }: PrepareOptions): Promise<QuantisedModel> {
  const folder = quantisedFolder(cache, checkpoint.fingerprint, width);
  const file = join(folder, fileName);
  if (!existsSync(file)) await writeQuantised(checkpoint, width, file, onProgress, signal);
  return { width, folder, file: fileName, entries: readSafetensorsHeader(file).entries };
}

export function quantisedFolder(cache: string, fingerprint: string, width: Width): string {
  return join(cache, `${fingerprint.slice(0, 32)}-${width}-v${version}`);
}

/** Where a rounded weight's parts are. */
export const partNames = (name: string) => ({ packed: `${name}.packed`, scales: `${name}.scales`, zeros: `${name}.zeros` });

/** The head's own name also where it shares the embedding's weight: rounded, it is another tensor. */
export const quantisedHead = "lm_head.weight";

/** A matrix that is rounded: the rows of one tensor, or of several that are multiplied with the same input. */
interface Rounded {
  name: string;
  from: TensorEntry[];
  out: number;
  size: number;
}

function roundedWeights(checkpoint: Checkpoint): Rounded[] {
  const entry = (name: string): TensorEntry => checkpoint.tensors.get(name) as TensorEntry;
  const head = entry(headName(checkpoint.config));
  return [
    ...groupsOf(checkpoint.config).map((group) => ({ name: `${group.name}.weight`, from: group.modules.map(({ name }) => entry(`${name}.weight`)), out: group.out, size: group.in })),
    { name: quantisedHead, from: [head], out: head.shape[0], size: head.shape[1] },
  ];
}

function keptWeights(checkpoint: Checkpoint): TensorEntry[] {
  const norms = Array.from({ length: checkpoint.config.layers }, (_, i) => [`model.layers.${i}.input_layernorm.weight`, `model.layers.${i}.post_attention_layernorm.weight`]).flat();
  return [embeddingName, finalNormName, ...norms].map((name) => checkpoint.tensors.get(name) as TensorEntry);
}

/** Rows of a weight that are rounded between two looks at the signal. */
const elementsAtOnce = 1 << 22;

async function writeQuantised(checkpoint: Checkpoint, width: QuantisedModel["width"], file: string, onProgress: PrepareOptions["onProgress"], signal: AbortSignal | undefined): Promise<void> {
  const rounded = roundedWeights(checkpoint);
  const kept = keptWeights(checkpoint);
  const plans: TensorPlan[] = kept.map(({ name, dtype, shape }) => ({ name, dtype, shape }));
  for (const { name, out, size } of rounded) {
    const shapes = quantisedShapes(out, size, bitsOf(width, name));
    const parts = partNames(name);
    plans.push({ name: parts.packed, dtype: "U8", shape: shapes.packed }, { name: parts.scales, dtype: "F32", shape: shapes.scales });
    if (shapes.zeros) plans.push({ name: parts.zeros, dtype: "U8", shape: shapes.zeros });
  }
  const totalBytes = [...kept, ...rounded.flatMap(({ from }) => from)].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let doneBytes = 0;
  const writer = createSafetensors(file, plans, { width, block_size: String(blockSize), fingerprint: checkpoint.fingerprint });
  try {
    const step = async (bytes: number): Promise<void> => {
      doneBytes += bytes;
      onProgress?.(doneBytes, totalBytes);
      await yieldToMessages();
      signal?.throwIfAborted();
    };
    for (const { name, dtype, file: source, sizeBytes } of kept) {
      const raw = openSafetensors(join(checkpoint.folder, source)).bytes(name);
      writer.write(name, dtype === "F32" ? new Float32Array(raw.buffer) : new Uint16Array(raw.buffer));
      await step(sizeBytes);
    }
    for (const { name, from, out, size } of rounded) {
      const parts = partNames(name);
      const bits = bitsOf(width, name);
      const shapes = quantisedShapes(out, size, bits);
      const perRow = (shape: readonly number[]): number => shape.slice(1).reduce((product, side) => product * side, 1);
      let at = 0;
      for (const { name: source, shape, sizeBytes } of from) {
        const weights = readTensorF32(checkpoint, source);
        const atOnce = Math.max(1, Math.floor(elementsAtOnce / size));
        for (let row = 0; row < shape[0]; row += atOnce) {
          const end = Math.min(shape[0], row + atOnce);
          const { packed, scales, zeros } = quantiseRows(weights.subarray(row * size, end * size), size, bits);
          writer.write(parts.packed, packed, at * perRow(shapes.packed));
          writer.write(parts.scales, scales, at * perRow(shapes.scales));
          if (zeros && shapes.zeros) writer.write(parts.zeros, zeros, at * perRow(shapes.zeros));
          at += end - row;
          await step(((end - row) / shape[0]) * sizeBytes);
        }
      }
    }
    writer.finish();
  } catch (error) {
    writer.abort();
    throw error;
  }
}
