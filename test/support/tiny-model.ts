// A small random Llama with its tokenizer, written as a Hugging Face folder: every part's tests run on it.
// In: sizes, dtype and a seed; the same options always give the same bytes. Out: a folder that openCheckpoint and
// openTokenizer take. Vocabulary 300: three special tokens, the 256 bytes, 41 merges.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expectedTensors } from "../../native-models/checkpoint/checkpoint.ts";
import { f32ToBf16, f32ToF16 } from "../../native-models/checkpoint/float-formats.ts";
import { writeSafetensors } from "../../native-models/checkpoint/safetensors-writer.ts";
import type { TensorData } from "../../native-models/checkpoint/safetensors-writer.ts";
import type { ModelConfig, RopeConfig, TensorDtype } from "../../native-models/checkpoint/types.ts";
import { seededRandom } from "./seeded-random.ts";

export interface TinyModelOptions {
  layers?: number;
  hidden?: number;
  heads?: number;
  kvHeads?: number;
  headSize?: number;
  mlpWidth?: number;
  maxPositions?: number;
  rope?: RopeConfig;
  tiedEmbeddings?: boolean;
  dtype?: TensorDtype;
  /** The tokenizer writes BOS before a text, as those of Llama 2 and 3 do. */
  addsBos?: boolean;
  /** Above 1: that many files with an index. */
  shards?: number;
  seed?: number;
}

export const tinyVocabulary = 300;
export const tinySpecialTokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] as const;

/** Writes the model into `folder` (made if missing) and returns its config as openCheckpoint reads it. */
export function writeTinyModel(folder: string, options: TinyModelOptions = {}): ModelConfig {
  const heads = options.heads ?? 4;
  const hidden = options.hidden ?? 32;
  const config: ModelConfig = {
    modelType: "llama",
    layers: options.layers ?? 2,
    hidden,
    heads,
    kvHeads: options.kvHeads ?? 2,
    headSize: options.headSize ?? hidden / heads,
    mlpWidth: options.mlpWidth ?? 64,
    vocabulary: tinyVocabulary,
    maxPositions: options.maxPositions ?? 512,
    rmsNormEps: 1e-5,
    rope: options.rope ?? { theta: 10_000, llama3: null },
    tiedEmbeddings: options.tiedEmbeddings ?? true,
    bosId: 1,
    eosIds: [2],
    padId: 2,
  };
  mkdirSync(folder, { recursive: true });
  writeJson(folder, "config.json", configJson(config));
  writeJson(folder, "generation_config.json", { bos_token_id: 1, eos_token_id: 2, pad_token_id: 2 });
  writeTinyTokenizer(folder, options);
  writeWeights(folder, config, options);
  return config;
}

/** Only the tokenizer's files: tokenizer.json, tokenizer_config.json, chat_template.jinja. */
export function writeTinyTokenizer(folder: string, { addsBos = false }: Pick<TinyModelOptions, "addsBos"> = {}): void {
  mkdirSync(folder, { recursive: true });
  writeJson(folder, "tokenizer.json", tokenizerJson(addsBos));
  writeJson(folder, "tokenizer_config.json", { bos_token: "<|im_start|>", eos_token: "<|im_end|>", pad_token: "<|im_end|>", unk_token: "<|endoftext|>" });
  writeFileSync(join(folder, "chat_template.jinja"), chatTemplate);
}

const chatTemplate =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

function configJson(config: ModelConfig): unknown {
  const { theta, llama3 } = config.rope;
  return {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    hidden_act: "silu",
    hidden_size: config.hidden,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: config.kvHeads,
    head_dim: config.headSize,
    intermediate_size: config.mlpWidth,
    vocab_size: config.vocabulary,
    max_position_embeddings: config.maxPositions,
    rms_norm_eps: config.rmsNormEps,
    attention_bias: false,
    mlp_bias: false,
    tie_word_embeddings: config.tiedEmbeddings,
    bos_token_id: 1,
    eos_token_id: 2,
    pad_token_id: 2,
    rope_parameters:
      llama3 === null
        ? { rope_theta: theta, rope_type: "default" }
        : {
            rope_theta: theta,
            rope_type: "llama3",
            factor: llama3.factor,
            low_freq_factor: llama3.lowFreqFactor,
            high_freq_factor: llama3.highFreqFactor,
            original_max_position_embeddings: llama3.originalMaxPositions,
          },
  };
}

// Norm weights near 1, embeddings of scale 0.5, projections of scale 1/√in: activations and logits stay of order 1.
function writeWeights(folder: string, config: ModelConfig, options: TinyModelOptions): void {
  const normal = seededNormal(options.seed ?? 0);
  const dtype = options.dtype ?? "BF16";
  const tensors = expectedTensors(config).map(({ name, shape }) => {
    const isNorm = shape.length === 1;
    const scale = isNorm ? 0.1 : name.includes("embed_tokens") ? 0.5 : 1 / Math.sqrt(shape[1]!);
    const values = Float32Array.from({ length: shape.reduce((product, side) => product * side, 1) }, () => (isNorm ? 1 : 0) + scale * normal());
    return { name, dtype, shape, data: inDtype(values, dtype) };
  });
  const shards = options.shards ?? 1;
  if (shards === 1) return writeSafetensors(join(folder, "model.safetensors"), tensors, { format: "pt" });
  const weightMap: Record<string, string> = {};
  for (let shard = 0; shard < shards; shard += 1) {
    const file = `model-${String(shard + 1).padStart(5, "0")}-of-${String(shards).padStart(5, "0")}.safetensors`;
    const part = tensors.filter((_, i) => i % shards === shard);
    for (const { name } of part) weightMap[name] = file;
    writeSafetensors(join(folder, file), part, { format: "pt" });
  }
  writeJson(folder, "model.safetensors.index.json", { metadata: {}, weight_map: weightMap });
}

function inDtype(values: Float32Array, dtype: TensorDtype): TensorData {
  if (dtype === "F32") return values;
  const bits = new Uint16Array(values.length);
  (dtype === "BF16" ? f32ToBf16 : f32ToF16)(values, bits);
  return bits;
}

const merges: readonly (readonly [string, string])[] = [
  ["Ġ", "t"], ["Ġ", "a"], ["h", "e"], ["i", "n"], ["r", "e"], ["o", "n"], ["Ġt", "he"], ["e", "r"], ["Ġ", "s"], ["a", "t"],
  ["Ġ", "w"], ["Ġ", "o"], ["e", "n"], ["Ġ", "c"], ["i", "t"], ["i", "s"], ["a", "n"], ["o", "r"], ["e", "s"], ["Ġ", "b"],
  ["e", "d"], ["Ġ", "f"], ["in", "g"], ["Ġ", "p"], ["o", "u"], ["Ġa", "n"], ["a", "l"], ["a", "r"], ["Ġt", "o"], ["Ġ", "m"],
  ["Ġo", "f"], ["Ġ", "in"], ["Ġ", "d"], ["Ġ", "h"], ["Ġan", "d"], ["i", "c"], ["l", "e"], ["Ġ", "is"], ["a", "s"], ["Ġw", "h"],
  ["Ġwh", "at"],
];

function tokenizerJson(addsBos: boolean): unknown {
  const tokens = [...tinySpecialTokens, ...byteAlphabet(), ...merges.map(([left, right]) => left + right)];
  if (tokens.length !== tinyVocabulary || new Set(tokens).size !== tinyVocabulary) throw new Error(`the tiny vocabulary has ${tokens.length} tokens`);
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: tinySpecialTokens.map((content, id) => ({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true })),
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: addsBos ? { type: "Sequence", processors: [byteLevel, bosFirst] } : null,
    decoder: byteLevel,
    model: {
      type: "BPE", dropout: null, unk_token: null, continuing_subword_prefix: "", end_of_word_suffix: "",
      fuse_unk: false, byte_fallback: false, ignore_merges: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  };
}

// As Llama 3's tokenizer.json has it.
const bosFirst = {
  type: "TemplateProcessing",
  single: [{ SpecialToken: { id: "<|im_start|>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
  pair: [{ SpecialToken: { id: "<|im_start|>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }],
  special_tokens: { "<|im_start|>": { id: "<|im_start|>", ids: [1], tokens: ["<|im_start|>"] } },
};

/** The character that byte-level BPE writes for each byte 0..255: printable ones stand for themselves. */
export function byteAlphabet(): string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const isPrintable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCodePoint(isPrintable ? byte : next++);
  });
}

/** Standard normal numbers from a seed (Box–Muller). */
export function seededNormal(seed: number): () => number {
  const uniform = seededRandom(seed);
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

function writeJson(folder: string, name: string, value: unknown): void {
  writeFileSync(join(folder, name), `${JSON.stringify(value, null, 2)}\n`);
}
