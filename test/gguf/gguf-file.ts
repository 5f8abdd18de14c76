// Builds GGUF files for tests: metadata and tensors as given, or a whole tiny Llama with its rotary rows interleaved.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Checkpoint } from "../../native-models/checkpoint/types.ts";
import { readTensorF32 } from "../../native-models/checkpoint/safetensors.ts";
import { ggufName } from "../../native-models/gguf/convert.ts";

export type MetadataItem =
  | { key: string; type: "text"; value: string }
  | { key: string; type: "u32" | "f32" | "flag"; value: number }
  | { key: string; type: "texts"; value: readonly string[] }
  | { key: string; type: "i32s"; value: readonly number[] };

export interface TensorItem {
  name: string;
  /** [out, in] */
  shape: readonly number[];
  kind: number;
  bytes: Uint8Array;
}

const align = (size: number): number => Math.ceil(size / 32) * 32;

export function ggufBytes(metadata: readonly MetadataItem[], tensors: readonly TensorItem[]): Buffer {
  const head: Buffer[] = [Buffer.from("GGUF"), u32(3), u64(tensors.length), u64(metadata.length)];
  for (const item of metadata) head.push(text(item.key), ...valueParts(item));
  let offset = 0;
  for (const tensor of tensors) {
    head.push(text(tensor.name), u32(tensor.shape.length), ...[...tensor.shape].reverse().map(u64), u32(tensor.kind), u64(offset));
    offset += align(tensor.bytes.byteLength);
  }
  const header = Buffer.concat(head);
  const padded = Buffer.alloc(align(header.length));
  header.copy(padded);
  const data = tensors.map(({ bytes }) => Buffer.concat([bytes, Buffer.alloc(align(bytes.byteLength) - bytes.byteLength)]));
  return Buffer.concat([padded, ...data]);
}

function valueParts(item: MetadataItem): Buffer[] {
  switch (item.type) {
    case "text": return [u32(8), text(item.value)];
    case "u32": return [u32(4), u32(item.value)];
    case "f32": return [u32(6), f32(item.value)];
    case "flag": return [u32(7), Buffer.from([item.value])];
    case "texts": return [u32(9), u32(8), u64(item.value.length), ...item.value.map(text)];
    case "i32s": return [u32(9), u32(5), u64(item.value.length), Buffer.from(Int32Array.from(item.value).buffer)];
  }
}

/** Metadata and float32 tensors of the tiny model in `checkpoint`. */
export function tinyGguf(checkpoint: Checkpoint): { metadata: MetadataItem[]; tensors: TensorItem[] } {
  const { config, folder } = checkpoint;
  const tokenizer = JSON.parse(readFileSync(join(folder, "tokenizer.json"), "utf8")) as {
    added_tokens: { id: number }[];
    model: { vocab: Record<string, number>; merges: [string, string][] };
  };
  const tokens = Object.entries(tokenizer.model.vocab).sort(([, x], [, y]) => x - y).map(([token]) => token);
  const special = new Set(tokenizer.added_tokens.map((token) => token.id));
  const metadata: MetadataItem[] = [
    { key: "general.architecture", type: "text", value: "llama" },
    { key: "llama.block_count", type: "u32", value: config.layers },
    { key: "llama.context_length", type: "u32", value: config.maxPositions },
    { key: "llama.embedding_length", type: "u32", value: config.hidden },
    { key: "llama.feed_forward_length", type: "u32", value: config.mlpWidth },
    { key: "llama.attention.head_count", type: "u32", value: config.heads },
    { key: "llama.attention.head_count_kv", type: "u32", value: config.kvHeads },
    { key: "llama.attention.layer_norm_rms_epsilon", type: "f32", value: config.rmsNormEps },
    { key: "llama.rope.freq_base", type: "f32", value: config.rope.theta },
    { key: "llama.rope.dimension_count", type: "u32", value: config.headSize },
    { key: "tokenizer.ggml.model", type: "text", value: "gpt2" },
    { key: "tokenizer.ggml.pre", type: "text", value: "gpt-2" },
    { key: "tokenizer.ggml.add_bos_token", type: "flag", value: 0 },
    { key: "tokenizer.ggml.tokens", type: "texts", value: tokens },
    { key: "tokenizer.ggml.token_type", type: "i32s", value: tokens.map((_, id) => (special.has(id) ? 3 : 1)) },
    { key: "tokenizer.ggml.merges", type: "texts", value: tokenizer.model.merges.map(([left, right]) => `${left} ${right}`) },
    { key: "tokenizer.ggml.bos_token_id", type: "u32", value: 1 },
    { key: "tokenizer.ggml.eos_token_id", type: "u32", value: 2 },
    { key: "tokenizer.ggml.padding_token_id", type: "u32", value: 2 },
    { key: "tokenizer.chat_template", type: "text", value: readFileSync(join(folder, "chat_template.jinja"), "utf8") },
  ];
  const tensors = [...checkpoint.tensors.values()].map(({ name, shape }) => {
    const values = readTensorF32(checkpoint, name);
    const stored = /\.(q|k)_proj\./.test(name) ? interleaveHalves(values, config.headSize, shape[1]!) : values;
    return { name: ggufName(name), shape, kind: 0, bytes: new Uint8Array(stored.buffer) };
  });
  return { metadata, tensors };
}

// As llama.cpp's converter does it: reshape(heads, 2, E/2, in).swapaxes(1, 2).
function interleaveHalves(values: Float32Array, headSize: number, rowElements: number): Float32Array<ArrayBuffer> {
  const out = new Float32Array(values.length);
  const half = headSize / 2;
  for (let head = 0; head * headSize * rowElements < values.length; head += 1) {
    for (let side = 0; side < 2; side += 1) {
      for (let i = 0; i < half; i += 1) {
        const from = (head * headSize + side * half + i) * rowElements;
        out.set(values.subarray(from, from + rowElements), (head * headSize + 2 * i + side) * rowElements);
      }
    }
  }
  return out;
}

export function writeGguf(file: string, metadata: readonly MetadataItem[], tensors: readonly TensorItem[]): void {
  writeFileSync(file, ggufBytes(metadata, tensors));
}

function u32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32LE(value >>> 0);
  return out;
}

function u64(value: number): Buffer {
  const out = Buffer.alloc(8);
  out.writeBigUInt64LE(BigInt(value));
  return out;
}

function f32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeFloatLE(value);
  return out;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([u64(bytes.length), bytes]);
}
