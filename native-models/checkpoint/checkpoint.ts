// A model folder, opened: its config and where each weight lies. No weight is read.
// In: a folder with config.json and .safetensors files, single or sharded. Out: a Checkpoint whose tensors are exactly
// those the model computes with, each of the right shape; or a UserError saying which file and what to do.

import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { UserError } from "../errors.ts";
import type { ErrorParts } from "../errors.ts";
import { readModelConfig } from "./config.ts";
import { readJsonFile } from "./file-bytes.ts";
import { hasWeights, indexFile, missingFiles, singleFile } from "./missing-files.ts";
import { readSafetensorsHeader, shown } from "./safetensors-header.ts";
import type { SafetensorsEntry, SafetensorsHeader } from "./safetensors-header.ts";
import { realFiles } from "./real-files.ts";
import type { Checkpoint, ModelConfig, TensorDtype, TensorEntry } from "./types.ts";

const largestIndexBytes = 100_000_000;
const largestShardCount = 10_000;

export function openCheckpoint(folder: string): Checkpoint {
  const root = resolve(folder);
  const config = readModelConfig(root);
  const files = weightFiles(root);
  const headers = new Map<string, SafetensorsHeader>();
  for (const file of files.names) headers.set(file, readSafetensorsHeader(join(root, file)));
  const stored = storedTensors(root, headers, files.placeOf);
  const tensors = new Map<string, TensorEntry>();
  let sizeBytes = 0;
  for (const expected of expectedTensors(config)) {
    const entry = checkedTensor(root, expected, stored);
    tensors.set(expected.name, entry);
    sizeBytes += entry.sizeBytes;
  }
  refuseBiases(root, stored);
  return { folder: root, config, tensors, weights: realFiles(root, files.names), fingerprint: fingerprintOf(root, headers), sizeBytes };
}

const largestLookBytes = 1_000_000;

/** Cheap test for scanning: is this a model's folder, whole or still being copied? */
export function looksLikeModel(folder: string): boolean {
  const file = join(folder, "config.json");
  if (!existsSync(file)) return false;
  if (hasWeights(folder)) return true;
  try {
    const config = readJsonFile(file, largestLookBytes); // many programs have a config.json
    return config !== null && ("model_type" in config || "architectures" in config);
  } catch (error) {
    if (error instanceof UserError) return false; // not JSON, or cut short: nothing to say about it yet
    throw error;
  }
}

export type FolderDescription =
  | { isUsable: true; folder: string; config: ModelConfig; dtypes: TensorDtype[]; parameters: number; sizeBytes: number; fingerprint: string }
  | { isUsable: false; folder: string; problem: ErrorParts };

/** What a list of models shows of a folder; a folder that cannot be used says why. Reads headers only. */
export function describeFolder(folder: string): FolderDescription {
  try {
    const { folder: root, config, tensors, sizeBytes, fingerprint } = openCheckpoint(folder);
    const missing = missingFiles(root);
    if (missing !== null) throw missing;
    const entries = [...tensors.values()];
    return {
      isUsable: true,
      folder: root,
      config,
      dtypes: [...new Set(entries.map((entry) => entry.dtype))],
      parameters: entries.reduce((sum, entry) => sum + elementsOf(entry.shape), 0),
      sizeBytes,
      fingerprint,
    };
  } catch (cause) {
    if (cause instanceof UserError) return { isUsable: false, folder: resolve(folder), problem: cause.parts };
    throw cause;
  }
}

export interface ExpectedTensor {
  name: string;
  shape: readonly number[];
}

/** Every weight a Llama of this config has, [out, in]; the tied output head is not one of its own. */
export function expectedTensors(config: ModelConfig): ExpectedTensor[] {
  const { hidden: D, heads: H, kvHeads: G, headSize: E, mlpWidth: F, vocabulary: V } = config;
  const inLayer: readonly [string, readonly number[]][] = [
    ["input_layernorm", [D]],
    ["self_attn.q_proj", [H * E, D]],
    ["self_attn.k_proj", [G * E, D]],
    ["self_attn.v_proj", [G * E, D]],
    ["self_attn.o_proj", [D, H * E]],
    ["post_attention_layernorm", [D]],
    ["mlp.gate_proj", [F, D]],
    ["mlp.up_proj", [F, D]],
    ["mlp.down_proj", [D, F]],
  ];
  const tensors: ExpectedTensor[] = [{ name: "model.embed_tokens.weight", shape: [V, D] }];
  for (let layer = 0; layer < config.layers; layer += 1) {
    for (const [part, shape] of inLayer) tensors.push({ name: `model.layers.${layer}.${part}.weight`, shape });
  }
  tensors.push({ name: "model.norm.weight", shape: [D] });
  if (!config.tiedEmbeddings) tensors.push({ name: "lm_head.weight", shape: [V, D] });
  return tensors;
}

interface WeightFiles {
  names: string[];
  /** File of each tensor, as the index says; null for a single file. */
  placeOf: ReadonlyMap<string, string> | null;
}

function weightFiles(folder: string): WeightFiles {
  if (existsSync(join(folder, singleFile))) return { names: [singleFile], placeOf: null };
  const path = join(folder, indexFile);
  const index = readJsonFile(path, largestIndexBytes);
  if (index === null) throw missingFiles(folder);
  const map = index["weight_map"];
  if (typeof map !== "object" || map === null || Array.isArray(map)) throw badIndex(path, "It has no weight_map object.");
  const placeOf = new Map<string, string>();
  for (const [name, file] of Object.entries(map)) {
    if (typeof file !== "string" || !/^[^/\\\0]{1,200}\.safetensors$/.test(file)) {
      throw badIndex(path, `It places ${shown(name)} in ${shown(String(file))}, which is no .safetensors file of this folder.`);
    }
    placeOf.set(name, file);
  }
  const names = [...new Set(placeOf.values())].sort();
  if (names.length > largestShardCount) throw badIndex(path, `It names ${names.length} files; ${largestShardCount} is the most.`);
  const missing = names.filter((name) => !existsSync(join(folder, name)));
  if (missing.length > 0) {
    throw new UserError({
      what: `${missing.length} of ${names.length} weight files are missing, the first is ${shown(missing[0]!)}.`,
      where: path,
      fix: "Let the download finish, or get the missing files.",
    });
  }
  return { names, placeOf };
}

type Stored = ReadonlyMap<string, { file: string; entry: SafetensorsEntry }>;

function storedTensors(folder: string, headers: ReadonlyMap<string, SafetensorsHeader>, placeOf: ReadonlyMap<string, string> | null): Stored {
  const stored = new Map<string, { file: string; entry: SafetensorsEntry }>();
  if (placeOf === null) {
    for (const [file, header] of headers) for (const [name, entry] of header.entries) stored.set(name, { file, entry });
    return stored;
  }
  for (const [name, file] of placeOf) {
    const entry = headers.get(file)?.entries.get(name);
    if (entry === undefined) throw badIndex(join(folder, indexFile), `It places ${shown(name)} in ${file}, which does not hold it.`);
    stored.set(name, { file, entry });
  }
  return stored;
}

function checkedTensor(folder: string, expected: ExpectedTensor, stored: Stored): TensorEntry {
  const found = stored.get(expected.name);
  if (found === undefined) {
    throw new UserError({
      what: `The weights lack ${expected.name} (${expected.shape.join(" × ")}), which config.json calls for.`,
      where: folder,
      fix: "Check that config.json and the .safetensors files belong together, or download the model again.",
    });
  }
  const { file, entry } = found;
  const where = `${join(folder, file)}: ${expected.name}`;
  if (entry.shape.length !== expected.shape.length || entry.shape.some((side, i) => side !== expected.shape[i])) {
    throw new UserError({
      what: `${expected.name} is ${entry.shape.join(" × ")}, but config.json makes it ${expected.shape.join(" × ")}.`,
      where,
      fix: "Check that config.json and the .safetensors files belong together.",
    });
  }
  if (!isFloat(entry.dtype)) {
    throw new UserError({
      what: `${expected.name} is stored as ${entry.dtype}; BF16, F16 and F32 are supported.`,
      where,
      fix: "Choose the model's unquantised version.",
    });
  }
  return { name: entry.name, dtype: entry.dtype, shape: entry.shape, file, offsetBytes: entry.offsetBytes, sizeBytes: entry.sizeBytes };
}

function refuseBiases(folder: string, stored: Stored): void {
  for (const [name, { file }] of stored) {
    if (!/^model\.layers\.\d+\..*\.bias$/.test(name)) continue;
    throw new UserError({
      what: `The weights hold the bias ${shown(name)}; biases are not supported yet.`,
      where: join(folder, file),
      fix: "Choose a Llama model without biases.",
    });
  }
}

function isFloat(dtype: string): dtype is TensorDtype {
  return dtype === "BF16" || dtype === "F16" || dtype === "F32";
}

function fingerprintOf(folder: string, headers: ReadonlyMap<string, SafetensorsHeader>): string {
  const hash = createHash("sha256").update(readFileSync(join(folder, "config.json")));
  for (const [file, header] of headers) {
    const { size, mtimeMs } = statSync(join(folder, file));
    hash.update(`\0${file}\0${size}\0${mtimeMs}\0`).update(header.bytes);
  }
  return hash.digest("hex");
}

function badIndex(path: string, what: string): UserError {
  return new UserError({ what, where: path, fix: "Download the model's index file again." });
}

function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, side) => product * side, 1);
}
