// A model's weights in blocks of integers, in a file of their own in the app's cache: made from the model's folder once,
// found again by the model's fingerprint, the width and this file's version. Projections and the output head are rounded;
// the embedding and the norms are copied as they are, because the runtime reads one folder only.
// In: a checkpoint, and for 4 bits a text to round by. Out: the folder and the places of its tensors, for
// programs/quantised-weights.ts.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as yieldToMessages } from "node:timers/promises";
import type { Windows } from "../calibration/tiles.ts";
import { createSafetensors, type SafetensorsWriter, type TensorPlan } from "../checkpoint/safetensors-writer.ts";
import { readSafetensorsHeader, type SafetensorsEntry } from "../checkpoint/safetensors-header.ts";
import { openSafetensors, readTensorF32 } from "../checkpoint/safetensors.ts";
import type { Checkpoint, TensorEntry } from "../checkpoint/types.ts";
import type { LayerInput } from "../nullspace/types.ts";
import { embeddingName, finalNormName, groupsOf, headName } from "../programs/names.ts";
import { blockSize, quantisedShapes, roundTo8, type Bits, type QuantisedMatrix } from "./blocks.ts";
import { quantisedFolder, removeSuperseded, type RoundedWidth } from "./places.ts";
import { roundByInputs } from "./round-by-inputs.ts";

/**
 * Bits of a layer's matrices; of the head's, where `layer` is null. At 4 bits the first and last eighth of the layers and the
 * head keep 8, as in llama.cpp's mixed files: rounding there costs most (SmolLM2, by one text:
 * 0.10 nats a token without, 0.03 with them).
 */
export function bitsOf(width: RoundedWidth, layer: number | null, layers: number): Bits {
  return width === "int8" || layer === null || layer < Math.floor(layers / 8) || layer >= Math.floor((7 * layers) / 8) ? 8 : 4;
}

const fileName = "rounded.safetensors";

export interface QuantisedModel {
  width: RoundedWidth;
  /** Holds `file`, with all that the answering program reads. */
  folder: string;
  file: string;
  entries: ReadonlyMap<string, SafetensorsEntry>;
  /** Tokens of text that 4-bit weights were rounded by; 0: every weight to the nearest. */
  textTokens: number;
}

export interface PrepareOptions {
  checkpoint: Checkpoint;
  width: RoundedWidth;
  /** Where such files are kept. */
  cache: string;
  /** Asked for only where weights are rounded by their inputs. */
  text: () => Promise<Windows>;
  onProgress?: (doneBytes: number, totalBytes: number) => void;
  signal?: AbortSignal;
}

/**
 * The file of a model and width, made if it is not there. UserError where the disk has no room or cannot be written.
 * Progress counts the model's bytes; those of a layer that is rounded by its inputs half when its text is read.
 */
export async function prepareQuantised(options: PrepareOptions): Promise<QuantisedModel> {
  const { checkpoint, width, cache } = options;
  const folder = quantisedFolder(cache, checkpoint.fingerprint, width);
  const file = join(folder, fileName);
  if (!existsSync(file)) {
    await writeQuantised(options, file);
    removeSuperseded(cache);
  }
  const { entries, metadata } = readSafetensorsHeader(file);
  return { width, folder, file: fileName, entries, textTokens: Number(metadata.get("text_tokens") ?? 0) };
}

/** Where a rounded weight's parts are. */
export const partNames = (name: string) => ({ packed: `${name}.packed`, scales: `${name}.scales`, zeros: `${name}.zeros` });

/** The head's own name also where it shares the embedding's weight: rounded, it is another tensor. */
export const quantisedHead = "lm_head.weight";

/** A matrix that is rounded: the rows of one tensor, or of several that are multiplied with the same input. */
export interface Rounded {
  name: string;
  from: TensorEntry[];
  out: number;
  size: number;
  bits: Bits;
  /** Where its input is met; null: the head's. */
  place: { layer: number; input: LayerInput } | null;
}

function roundedWeights(checkpoint: Checkpoint, width: RoundedWidth): Rounded[] {
  const { config } = checkpoint;
  const entry = (name: string): TensorEntry => checkpoint.tensors.get(name) as TensorEntry;
  const head = entry(headName(config));
  return [
    ...groupsOf(config).map(({ name, modules, out, in: size }): Rounded => {
      const { layer, input } = modules[0];
      return { name: `${name}.weight`, from: modules.map((module) => entry(`${module.name}.weight`)), out, size, bits: bitsOf(width, layer, config.layers), place: { layer, input } };
    }),
    { name: quantisedHead, from: [head], out: head.shape[0], size: head.shape[1], bits: bitsOf(width, null, config.layers), place: null },
  ];
}

function keptWeights(checkpoint: Checkpoint): TensorEntry[] {
  const norms = Array.from({ length: checkpoint.config.layers }, (_, i) => [`model.layers.${i}.input_layernorm.weight`, `model.layers.${i}.post_attention_layernorm.weight`]).flat();
  return [embeddingName, finalNormName, ...norms].map((name) => checkpoint.tensors.get(name) as TensorEntry);
}

/** Rows of a weight that are rounded between two looks at the signal hold so many elements. */
const elementsAtOnce = 1 << 22;

async function writeQuantised({ checkpoint, width, text, onProgress, signal }: PrepareOptions, file: string): Promise<void> {
  const rounded = roundedWeights(checkpoint, width);
  const kept = keptWeights(checkpoint);
  const plans: TensorPlan[] = kept.map(({ name, dtype, shape }) => ({ name, dtype, shape }));
  for (const { name, out, size, bits } of rounded) {
    const shapes = quantisedShapes(out, size, bits);
    const parts = partNames(name);
    plans.push({ name: parts.packed, dtype: "U8", shape: shapes.packed }, { name: parts.scales, dtype: "F32", shape: shapes.scales });
    if (shapes.zeros) plans.push({ name: parts.zeros, dtype: "U8", shape: shapes.zeros });
  }
  const byInputs = rounded.filter(({ bits }) => bits === 4);
  const windows = byInputs.length > 0 ? await text() : null;
  const totalBytes = [...kept, ...rounded.flatMap(({ from }) => from)].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let doneBytes = 0;
  const step = async (bytes: number): Promise<void> => {
    doneBytes += bytes;
    onProgress?.(doneBytes, totalBytes);
    await yieldToMessages();
    signal?.throwIfAborted();
  };
  const writer = createSafetensors(file, plans, { width, block_size: String(blockSize), fingerprint: checkpoint.fingerprint, text_tokens: String(windows?.ids.length ?? 0) });
  try {
    for (const { name, dtype, file: source, sizeBytes } of kept) {
      const raw = openSafetensors(join(checkpoint.folder, source)).bytes(name);
      writer.write(name, dtype === "F32" ? new Float32Array(raw.buffer) : new Uint16Array(raw.buffer));
      await step(sizeBytes);
    }
    for (const matrix of rounded.filter(({ bits }) => bits === 8)) await roundRows(checkpoint, matrix, writer, (weights) => roundTo8(weights, matrix.size), step);
    if (windows !== null) {
      const bytes = byInputs.flatMap(({ from }) => from).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      await roundByInputs({
        checkpoint, matrices: byInputs, windows,
        round: (matrix, round) => roundRows(checkpoint, matrix, writer, round, (done) => step(done / 2)),
        onRead: (share) => step((share * bytes) / 2),
        ...(signal && { signal }),
      });
    }
    writer.finish();
  } catch (error) {
    writer.abort();
    throw error;
  }
}

/** Rounds a matrix, so many rows at a time, and writes it. */
async function roundRows(checkpoint: Checkpoint, { name, from, size, out, bits }: Rounded, writer: SafetensorsWriter, round: (weights: Float32Array) => QuantisedMatrix | Promise<QuantisedMatrix>, step: (bytes: number) => Promise<void>): Promise<void> {
  const parts = partNames(name);
  const shapes = quantisedShapes(out, size, bits);
  const perRow = (shape: readonly number[]): number => shape.slice(1).reduce((product, side) => product * side, 1);
  let at = 0;
  for (const { name: source, shape, sizeBytes } of from) {
    const weights = readTensorF32(checkpoint, source);
    const atOnce = Math.max(1, Math.floor(elementsAtOnce / size));
    for (let row = 0; row < shape[0]; row += atOnce) {
      const end = Math.min(shape[0], row + atOnce);
      const { packed, scales, zeros } = await round(weights.subarray(row * size, end * size));
      writer.write(parts.packed, packed, at * perRow(shapes.packed));
      writer.write(parts.scales, scales, at * perRow(shapes.scales));
      if (zeros && shapes.zeros) writer.write(parts.zeros, zeros, at * perRow(shapes.zeros));
      at += end - row;
      await step(((end - row) / shape[0]) * sizeBytes);
    }
  }
}
