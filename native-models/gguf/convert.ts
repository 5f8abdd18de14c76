// A GGUF file made into a Hugging Face folder: weights dequantised to bfloat16, rotary rows put back in their order,
// tokenizer, template and configs written out.
// In: one .gguf file. Out: a folder that openCheckpoint and openTokenizer take; it appears under its name only when
// whole and opened once. Cost: about 8 MB besides the header, 2 bytes of disk a parameter.

import { mkdirSync, readdirSync, renameSync, rmdirSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { UserError } from "../errors.ts";
import { expectedTensors, openCheckpoint } from "../checkpoint/checkpoint.ts";
import { readModelConfig } from "../checkpoint/config.ts";
import { partialName, readFully, requireFreeSpace, unwritable, withFile, writeFileWhole } from "../checkpoint/file-bytes.ts";
import { f32ToBf16 } from "../checkpoint/float-formats.ts";
import { createSafetensors } from "../checkpoint/safetensors-writer.ts";
import type { SafetensorsWriter } from "../checkpoint/safetensors-writer.ts";
import { openTokenizer } from "../checkpoint/tokenizer.ts";
import type { ModelConfig } from "../checkpoint/types.ts";
import { dequantise, requireReadable } from "./dequantise.ts";
import { openGguf } from "./header.ts";
import { hubConfigs } from "./model-config.ts";
import { tokenizerFiles } from "./tokenizer-files.ts";
import type { GgufFile, GgufTensor } from "./types.ts";

export interface ConvertOptions {
  /** Bytes of weights written, of all. */
  onProgress?: (doneBytes: number, totalBytes: number) => void;
  signal?: AbortSignal;
}

/** Writes the model in `file` as the folder `destFolder`, which must not exist or be empty. Gives its absolute path. */
export async function convertGguf(file: string, destFolder: string, options: ConvertOptions = {}): Promise<string> {
  const dest = resolve(destFolder);
  const gguf = openGguf(file);
  refuseFilled(dest);
  const partial = partialName(dest);
  try {
    mkdirSync(partial, { recursive: true });
    writeSmallFiles(gguf, partial);
    await writeWeights(gguf, partial, readModelConfig(partial), options);
    openCheckpoint(partial);
    openTokenizer(partial);
    takeName(partial, dest);
  } catch (cause) {
    rmSync(partial, { recursive: true, force: true });
    throw cause;
  }
  return dest;
}

function writeSmallFiles(gguf: GgufFile, folder: string): void {
  const { config, generation } = hubConfigs(gguf);
  const { tokenizer, config: tokenizerConfig, chatTemplate } = tokenizerFiles(gguf);
  const json = { "config.json": config, "generation_config.json": generation, "tokenizer.json": tokenizer, "tokenizer_config.json": tokenizerConfig };
  for (const [name, value] of Object.entries(json)) writeFileWhole(join(folder, name), `${JSON.stringify(value, null, 2)}\n`);
  if (chatTemplate !== null) writeFileWhole(join(folder, "chat_template.jinja"), chatTemplate);
}

async function writeWeights(gguf: GgufFile, folder: string, config: ModelConfig, options: ConvertOptions): Promise<void> {
  const plans = expectedTensors(config).map(({ name, shape }) => ({ name, shape, dtype: "BF16" as const, source: sourceOf(gguf, name, shape) }));
  refuseUnused(gguf, new Set(plans.map((plan) => plan.source.name)));
  const totalBytes = plans.reduce((sum, plan) => sum + 2 * elementsOf(plan.shape), 0);
  requireFreeSpace(folder, totalBytes);
  const writer = createSafetensors(join(folder, "model.safetensors"), plans, { format: "pt" });
  let doneBytes = 0;
  try {
    for (const { name, source } of plans) {
      for (const written of convertTensor(gguf.file, name, source, config, writer)) {
        doneBytes += written;
        options.onProgress?.(doneBytes, totalBytes);
        await nextTurn();
        options.signal?.throwIfAborted();
      }
    }
    writer.finish();
  } finally {
    writer.abort();
  }
}

const pieceElements = 1 << 20;

/** Writes one tensor by groups of rows; yields the bytes of each. */
function* convertTensor(file: string, name: string, source: GgufTensor, config: ModelConfig, writer: SafetensorsWriter): Generator<number> {
  const rowElements = source.shape.at(-1)!;
  const rows = elementsOf(source.shape) / rowElements;
  const rowBytes = source.sizeBytes / rows;
  const isRotary = /\.(q|k)_proj\.weight$/.test(name);
  const unit = isRotary ? config.headSize : 1; // whole heads, so that a group can be put in order by itself
  const groupRows = Math.min(rows, unit * Math.max(1, Math.floor(pieceElements / (rowElements * unit))));
  const bytes = new Uint8Array(groupRows * rowBytes);
  const values = new Float32Array(groupRows * rowElements);
  const ordered = isRotary ? new Float32Array(values.length) : values;
  const bits = new Uint16Array(values.length);
  for (let row = 0; row < rows; row += groupRows) {
    const count = Math.min(groupRows, rows - row);
    const elements = count * rowElements;
    const raw = bytes.subarray(0, count * rowBytes);
    withFile(file, (fd) => readFully(fd, raw, source.offsetBytes + row * rowBytes, file));
    dequantise(source.kind.name, raw, values.subarray(0, elements));
    if (isRotary) unpermuteRotary(values.subarray(0, elements), ordered, config.headSize, rowElements);
    f32ToBf16(ordered.subarray(0, elements), bits);
    writer.write(name, bits.subarray(0, elements), row * rowElements);
    yield 2 * elements;
  }
}

/** GGUF has each head's rotary pairs side by side (row 2i and 2i+1); Hugging Face has all firsts, then all seconds. */
export function unpermuteRotary(from: Float32Array, to: Float32Array, headSize: number, rowElements: number): void {
  const half = headSize / 2;
  for (let row = 0; row * rowElements < from.length; row += 1) {
    const inHead = row % headSize;
    const target = row - inHead + (inHead >> 1) + (inHead & 1) * half;
    to.set(from.subarray(row * rowElements, (row + 1) * rowElements), target * rowElements);
  }
}

const partNames: Readonly<Record<string, string>> = {
  "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
  "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
  input_layernorm: "attn_norm", post_attention_layernorm: "ffn_norm",
};
const outerNames: Readonly<Record<string, string>> = {
  "model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight", "lm_head.weight": "output.weight",
};

/** GGUF's name for a weight of a Hugging Face Llama. */
export function ggufName(name: string): string {
  const inLayer = /^model\.layers\.(\d+)\.(.+)\.weight$/.exec(name);
  const found = inLayer === null ? outerNames[name] : `blk.${inLayer[1]}.${partNames[inLayer[2]!]}.weight`;
  if (found === undefined) throw new Error(`no GGUF name for ${name}`);
  return found;
}

function sourceOf(gguf: GgufFile, name: string, shape: readonly number[]): GgufTensor {
  const source = gguf.tensors.get(ggufName(name));
  const problem = (what: string): UserError =>
    new UserError({ what, where: `${gguf.file}: ${ggufName(name)}`, fix: "Get the file again or convert the model again: metadata and tensors do not belong together." });
  if (source === undefined) throw problem(`The file lacks this tensor (${shape.join(" × ")}).`);
  if (source.shape.length !== shape.length || source.shape.some((side, i) => side !== shape[i])) {
    throw problem(`It is ${source.shape.join(" × ")}, but the metadata make it ${shape.join(" × ")}.`);
  }
  requireReadable(gguf.file, source);
  return source;
}

// A tensor nobody reads means a model that computes something else, for example with biases.
function refuseUnused(gguf: GgufFile, used: ReadonlySet<string>): void {
  for (const name of gguf.tensors.keys()) {
    if (used.has(name) || name === "rope_freqs.weight") continue;
    throw new UserError({ what: `The model has a tensor ${JSON.stringify(name.slice(0, 80))} that Llama blocks do not use.`, where: gguf.file, fix: "Choose a plain Llama model." });
  }
}

function refuseFilled(dest: string): void {
  let entries: string[] = [];
  try {
    entries = readdirSync(dest);
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== "ENOENT") throw unwritable(dest, cause);
  }
  if (entries.length > 0) throw new UserError({ what: "The folder exists already and is not empty.", where: dest, fix: "Choose another folder, or delete this one first." });
}

function takeName(partial: string, dest: string): void {
  try {
    mkdirSync(dirname(dest), { recursive: true });
    rmdirSync(dest);
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== "ENOENT") throw unwritable(dest, cause);
  }
  try {
    renameSync(partial, dest);
  } catch (cause) {
    throw unwritable(dest, cause);
  }
}

function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, side) => product * side, 1);
}
