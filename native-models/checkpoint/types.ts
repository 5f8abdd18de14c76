// What a model folder holds, as the rest of the project sees it. Filled by checkpoint.ts from config.json and the
// headers of the .safetensors files; no weight is read to make one.

import type { RealFiles } from "./real-files.ts";

export type TensorDtype = "BF16" | "F16" | "F32";

/** One tensor inside a .safetensors file. Weights are [out, in]. */
export interface TensorEntry {
  name: string;
  dtype: TensorDtype;
  shape: readonly number[];
  /** File name relative to the model folder. */
  file: string;
  /** Absolute byte offset of the first element in that file. */
  offsetBytes: number;
  sizeBytes: number;
}

/** The shape of a decoder-only transformer, in the project's alphabet (D hidden, H heads, G kv heads, E head size, F MLP, V vocabulary). */
export interface ModelConfig {
  /** config.json's model_type, for example "llama". */
  modelType: string;
  layers: number;
  hidden: number;
  heads: number;
  kvHeads: number;
  headSize: number;
  mlpWidth: number;
  vocabulary: number;
  maxPositions: number;
  rmsNormEps: number;
  rope: RopeConfig;
  /** lm_head shares the embedding's weight; the tensor then appears once. */
  tiedEmbeddings: boolean;
  bosId: number | null;
  /** Every id that ends a generation (config and generation_config together), never empty. */
  eosIds: readonly number[];
  padId: number | null;
}

export interface RopeConfig {
  theta: number;
  /** Llama 3 frequency scaling, or null for plain rotary embedding. */
  llama3: { factor: number; lowFreqFactor: number; highFreqFactor: number; originalMaxPositions: number } | null;
}

export interface Checkpoint {
  /** Absolute path of the model folder. */
  folder: string;
  config: ModelConfig;
  tensors: ReadonlyMap<string, TensorEntry>;
  /** Where the weight files really lie, links followed: what the runtime reads them from. */
  weights: RealFiles;
  /** SHA-256 over config.json, the safetensors headers and each file's size and mtime: names this model in caches. */
  fingerprint: string;
  /** Bytes of all tensors, tied ones once. */
  sizeBytes: number;
}

export interface ChatMessage {
  role: "system" | "user" | "assistant" | "tool";
  content: string;
}

export interface Tokenizer {
  readonly vocabulary: number;
  readonly eosId: number;
  readonly bosId: number | null;
  /** A text that begins at the beginning gets BOS before it (Llama 2 and 3): from-start.ts does it. Chat templates write it themselves. */
  readonly addsBos: boolean;
  /** Token ids of `text`. Special tokens written out in the text become their ids; none are added around it. */
  encode(text: string): number[];
  encodeBatch(texts: readonly string[]): number[][];
  /** Text of `ids`; special tokens are left out unless asked for. */
  decode(ids: readonly number[], options?: { keepSpecial?: boolean }): string;
  /** The token as written in the vocabulary, for previews ("Ġthe" shown as " the"). */
  tokenText(id: number): string;
  /** Chat template of the model over `messages`, or null when the model has none. */
  readonly chatTemplate: ((messages: readonly ChatMessage[], options: { addGenerationPrompt: boolean }) => string) | null;
  /** The text of that template, as it stands in the model's files. */
  readonly chatTemplateText: string | null;
  /** The same tokenizer with another chat template, for example the one that a run was trained with. `where` names it in messages. */
  withChatTemplate(text: string, where: string): Tokenizer;
}
