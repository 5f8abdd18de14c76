// Gram files: what a calibration leaves, and what every start is made from.
// One .safetensors file, float64; a tensor a layer input, "layers.3.mlpDown", holds the lower triangle packed row by row
// [D(D+1)/2] (the matrix is symmetric), and "layers.3.mlpDown.sum" Σ x [D]. Metadata say which model, text and settings it came from. Written as a stream and
// renamed when whole; read one Gram at a time (D = 4096: 67 MB read, 134 MB unpacked).

import { createHash } from "node:crypto";
import { createSafetensors } from "../checkpoint/safetensors-writer.ts";
import { openSafetensors } from "../checkpoint/safetensors.ts";
import type { ModelConfig } from "../checkpoint/types.ts";
import { UserError } from "../errors.ts";
import type { GramScaling } from "../programs/gram-program.ts";
import { inputSize } from "../programs/names.ts";
import type { ReusedArray } from "./reused-array.ts";
import type { Gram, LayerInput } from "./types.ts";

export const layerInputs: readonly LayerInput[] = ["attention", "attentionOutput", "mlp", "mlpDown"];

const format = "nullspace-grams";
export const gramFormatVersion = 2; // 1 had no sums

export interface GramFileInfo {
  /** Fingerprint of the model (Checkpoint.fingerprint). */
  modelFingerprint: string;
  /** SHA-256 of the questions file. */
  questionsFingerprint: string;
  samples: number;
  /** Tokens a sample. */
  length: number;
  seed: number;
  scaling: GramScaling;
  /** Tokens that were seen in all. */
  tokens: number;
  layers: number;
}

export interface GramFile {
  file: string;
  info: GramFileInfo;
  /** Names these numbers in starts and caches: SHA-256 over the metadata and the layout. */
  fingerprint: string;
  /** D of a layer input. */
  size(layer: number, input: LayerInput): number;
  /** Reads and unpacks one Gram; with `memory`, it lasts until that is used again. */
  read(layer: number, input: LayerInput, memory?: ReusedArray): Gram;
}

export interface GramFileWriter {
  write(layer: number, input: LayerInput, gram: Gram): void;
  finish(): void;
  /** Removes what was written; after `finish` it does nothing. */
  abandon(): void;
}

export function gramName(layer: number, input: LayerInput): string {
  return `layers.${layer}.${input}`;
}

function sumName(layer: number, input: LayerInput): string {
  return `${gramName(layer, input)}.sum`;
}

export function createGramFile(file: string, config: ModelConfig, info: Omit<GramFileInfo, "layers">): GramFileWriter {
  const plans = Array.from({ length: config.layers }, (_, layer) =>
    layerInputs.flatMap((input) => [
      { name: gramName(layer, input), dtype: "F64" as const, shape: [packedLength(inputSize(config, input))] },
      { name: sumName(layer, input), dtype: "F64" as const, shape: [inputSize(config, input)] },
    ]),
  ).flat();
  const metadata = Object.fromEntries(Object.entries({ format, version: gramFormatVersion, ...info, layers: config.layers }).map(([key, value]) => [key, String(value)]));
  const writer = createSafetensors(file, plans, metadata);
  return {
    write(layer, input, gram) {
      if (!gram.centre) throw new Error(`createGramFile: the Gram of ${gramName(layer, input)} came without its sum`);
      writer.write(gramName(layer, input), packLower(gram));
      writer.write(sumName(layer, input), gram.centre.sum);
    },
    finish: () => writer.finish(),
    abandon: () => writer.abort(),
  };
}

export function openGramFile(file: string): GramFile {
  const stored = openSafetensors(file);
  const text = (key: string): string => {
    const value = stored.metadata.get(key);
    if (value === undefined) throw notAGramFile(file, `its metadata have no "${key}"`);
    return value;
  };
  const count = (key: string): number => {
    const value = Number(text(key));
    if (!Number.isSafeInteger(value) || value < 0) throw notAGramFile(file, `its metadata say ${key} = ${text(key).slice(0, 40)}`);
    return value;
  };
  const scalingOf = (): GramScaling => {
    const value = text("scaling");
    if (value !== "raw" && value !== "official") throw notAGramFile(file, `its metadata say scaling = ${value.slice(0, 40)}`);
    return value;
  };
  if (text("format") !== format) throw notAGramFile(file, "it is another kind of .safetensors file");
  if (count("version") !== gramFormatVersion) {
    throw new UserError({
      what: `This Gram file has format version ${count("version")}; this program reads version ${gramFormatVersion}.`,
      where: file,
      fix: "Calibrate again, or use the version of the program that wrote it.",
    });
  }
  const info: GramFileInfo = {
    modelFingerprint: text("modelFingerprint"),
    questionsFingerprint: text("questionsFingerprint"),
    samples: count("samples"),
    length: count("length"),
    seed: count("seed"),
    scaling: scalingOf(),
    tokens: count("tokens"),
    layers: count("layers"),
  };
  const size = (layer: number, input: LayerInput): number => {
    const entry = stored.entries.get(gramName(layer, input));
    if (!entry) throw notAGramFile(file, `it lacks ${gramName(layer, input)}`);
    const length = entry.shape[0] ?? 0;
    const side = Math.round((Math.sqrt(8 * length + 1) - 1) / 2);
    if (entry.dtype !== "F64" || entry.shape.length !== 1 || packedLength(side) !== length || side < 1) {
      throw notAGramFile(file, `${gramName(layer, input)} is ${entry.dtype} [${entry.shape.join(", ")}], not a packed triangle`);
    }
    return side;
  };
  const read = (layer: number, input: LayerInput, memory?: ReusedArray): Gram => {
    const side = size(layer, input);
    const sum = stored.entries.get(sumName(layer, input));
    if (sum?.dtype !== "F64" || sum.shape.length !== 1 || sum.shape[0] !== side) throw notAGramFile(file, `${sumName(layer, input)} is not there with ${side} values`);
    const count = info.tokens / (info.scaling === "official" ? info.samples : 1);
    const values = memory?.take(side * side) ?? new Float64Array(side * side);
    const packed = stored.f64(gramName(layer, input), values.subarray(values.length - packedLength(side)));
    return { ...unpackLower(packed, side, values), centre: { sum: stored.f64(sumName(layer, input)), count } };
  };
  const fingerprint = createHash("sha256").update(JSON.stringify([info, [...stored.entries.values()].map(({ name, shape }) => [name, shape])])).digest("hex");
  return { file, info, fingerprint, size, read };
}

/** Refuses a Gram file that was made from another model. */
export function requireGramsOf(grams: GramFile, fingerprint: string, config: ModelConfig): void {
  const misfit = layerInputs.find((input) => grams.info.layers !== config.layers || grams.size(0, input) !== inputSize(config, input));
  if (grams.info.modelFingerprint === fingerprint && !misfit) return;
  throw new UserError({
    what: misfit
      ? `The Gram file is for ${grams.info.layers} layers with a ${misfit} input of ${grams.size(0, misfit)}; this model has ${config.layers} layers and ${inputSize(config, misfit)}.`
      : "The Gram file was made from another model, or the model's files have changed since.",
    where: grams.file,
    fix: "Calibrate this model and use that Gram file.",
  });
}

function notAGramFile(file: string, reason: string): UserError {
  return new UserError({
    what: `It is not a Gram file of this program: ${reason}.`,
    where: file,
    fix: "Give the file that `nullspace calibrate` wrote.",
  });
}

function packedLength(size: number): number {
  return (size * (size + 1)) / 2;
}

export function packLower({ size, values }: Gram): Float64Array {
  const packed = new Float64Array(packedLength(size));
  for (let i = 0, at = 0; i < size; at += i + 1, i++) packed.set(values.subarray(i * size, i * size + i + 1), at);
  return packed;
}

/** `packed` may be the end of `values`: no row is written over one that is still to be read. */
export function unpackLower(packed: Float64Array, size: number, values = new Float64Array(size * size)): Gram {
  for (let i = 0, at = 0; i < size; at += i + 1, i++) values.set(packed.subarray(at, at + i + 1), i * size);
  const tile = 64; // mirrored tile by tile, so that reads and writes both stay in cache
  for (let i0 = 0; i0 < size; i0 += tile) {
    for (let j0 = 0; j0 <= i0; j0 += tile) {
      for (let i = i0; i < Math.min(i0 + tile, size); i++) {
        for (let j = j0; j < Math.min(j0 + tile, i); j++) values[j * size + i] = values[i * size + j]!;
      }
    }
  }
  return { size, values };
}
