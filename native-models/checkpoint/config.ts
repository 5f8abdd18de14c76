// The shape of a model, from config.json, generation_config.json and tokenizer_config.json.
// In: a model folder. Out: a checked ModelConfig. A model that cannot be computed exactly is refused by name, with what
// is missing: running it almost right would train on wrong activations without anyone noticing.

import { join } from "node:path";
import { z } from "zod";
import { UserError } from "../errors.ts";
import { readJsonFile } from "./file-bytes.ts";
import { shown } from "./safetensors-header.ts";
import type { ModelConfig, RopeConfig } from "./types.ts";

const jsonLimitBytes = 32 * 1024 * 1024;

/** What each known model type needs beyond the Llama blocks, for the refusal. */
const missingFor: Readonly<Record<string, string>> = {
  mistral: "sliding-window attention",
  mixtral: "mixture-of-experts layers",
  qwen2: "biases on q, k and v",
  qwen3: "norms on q and k",
  gemma: "its own norm and embedding scale",
  gemma2: "soft-capping, sliding windows and post-norms",
  gemma3_text: "sliding windows, norms on q and k and post-norms",
  gemma3: "image input, sliding windows and post-norms",
  phi3: "fused q/k/v and gate/up projections",
  smollm3: "layers without rotary embedding",
  olmo2: "post-norms and norms on q and k",
  gpt2: "learned positions and layer norm with bias",
};

const count = z.int().min(1).max(2 ** 31 - 1);
const positive = z.number().positive().finite();
const tokenId = z.int().min(-1).max(2 ** 31 - 1);
const tokenIds = z.union([tokenId, z.array(tokenId).max(1000)]).nullish();

const ropeFields = z.object({
  rope_type: z.string().optional(),
  type: z.string().optional(),
  rope_theta: positive.optional(),
  factor: positive.optional(),
  low_freq_factor: positive.optional(),
  high_freq_factor: positive.optional(),
  original_max_position_embeddings: count.optional(),
});

const llamaFields = z.object({
  architectures: z.array(z.string()).nullish(),
  hidden_size: count,
  num_hidden_layers: count.max(10_000),
  num_attention_heads: count,
  num_key_value_heads: count.nullish(),
  head_dim: count.nullish(),
  intermediate_size: count,
  vocab_size: count,
  max_position_embeddings: count.default(2048),
  rms_norm_eps: positive.default(1e-6),
  hidden_act: z.string().default("silu"),
  attention_bias: z.boolean().nullish(),
  mlp_bias: z.boolean().nullish(),
  tie_word_embeddings: z.boolean().nullish(),
  rope_theta: positive.nullish(),
  rope_scaling: ropeFields.nullish(),
  rope_parameters: ropeFields.nullish(),
  quantization_config: z.unknown().optional(),
  bos_token_id: tokenIds,
  eos_token_id: tokenIds,
  pad_token_id: tokenIds,
});

const generationFields = z.object({ eos_token_id: tokenIds });

type LlamaFields = z.infer<typeof llamaFields>;

/** The config of the model in `folder`. */
export function readModelConfig(folder: string): ModelConfig {
  const file = join(folder, "config.json");
  const json = readJsonFile(file, jsonLimitBytes);
  if (json === null) {
    throw new UserError({
      what: "The folder has no config.json.",
      where: folder,
      fix: "Choose the folder of a Hugging Face model: config.json, tokenizer.json and model.safetensors lie in it.",
    });
  }
  requireLlama(file, json["model_type"]);
  const fields = parseFields(llamaFields, json, file);
  refuseUnsupported(file, fields);

  const heads = fields.num_attention_heads;
  const kvHeads = fields.num_key_value_heads ?? heads;
  if (heads % kvHeads !== 0) throw wrong(file, "num_key_value_heads", `${kvHeads} key/value heads do not divide ${heads} heads.`);
  const headSize = fields.head_dim ?? fields.hidden_size / heads;
  if (!Number.isInteger(headSize)) {
    throw wrong(file, "hidden_size", `${heads} heads do not divide hidden_size ${fields.hidden_size}, and there is no head_dim.`);
  }
  if (headSize % 2 !== 0) throw wrong(file, "head_dim", `Rotary embedding needs an even head size, not ${headSize}.`);
  return {
    modelType: "llama",
    layers: fields.num_hidden_layers,
    hidden: fields.hidden_size,
    heads,
    kvHeads,
    headSize,
    mlpWidth: fields.intermediate_size,
    vocabulary: fields.vocab_size,
    maxPositions: fields.max_position_embeddings,
    rmsNormEps: fields.rms_norm_eps,
    rope: readRope(file, fields),
    tiedEmbeddings: fields.tie_word_embeddings ?? false,
    bosId: idsBelow(fields.vocab_size, fields.bos_token_id)[0] ?? null,
    eosIds: readEosIds(folder, fields),
    padId: idsBelow(fields.vocab_size, fields.pad_token_id)[0] ?? null,
  };
}

function requireLlama(file: string, modelType: unknown): void {
  if (modelType === "llama") return;
  if (typeof modelType !== "string") throw wrong(file, "model_type", "The model does not say of which type it is.");
  const missing = Object.hasOwn(missingFor, modelType) ? missingFor[modelType] : null;
  throw new UserError({
    what: missing === null
      ? `Models of type ${shown(modelType)} are not supported.`
      : `Models of type ${shown(modelType)} are not supported yet: ${missing} would be needed.`,
    where: `${file}: model_type`,
    fix: "Choose a Llama model (model_type \"llama\": Llama 2 and 3, SmolLM and SmolLM2, TinyLlama and others).",
  });
}

function refuseUnsupported(file: string, fields: LlamaFields): void {
  const architecture = fields.architectures?.[0] ?? "LlamaForCausalLM";
  const unsupported: [boolean, string, string][] = [
    [architecture !== "LlamaForCausalLM", "architectures", `${shown(architecture)} is not a language model head we can train; LlamaForCausalLM is.`],
    [fields.hidden_act !== "silu", "hidden_act", `The activation ${shown(fields.hidden_act)} is not supported; silu is.`],
    [fields.attention_bias === true, "attention_bias", "Biases on the attention projections are not supported yet."],
    [fields.mlp_bias === true, "mlp_bias", "Biases on the MLP projections are not supported yet."],
    [fields.quantization_config != null, "quantization_config", "The weights are stored quantised, which is not supported yet."],
  ];
  for (const [is, field, what] of unsupported) {
    if (is) throw new UserError({ what, where: `${file}: ${field}`, fix: "Choose a plain Llama model with weights in bf16, f16 or f32." });
  }
}

// Old files have rope_theta and rope_scaling side by side; since transformers 5 both live in rope_parameters.
function readRope(file: string, fields: LlamaFields): RopeConfig {
  const field = fields.rope_parameters != null ? "rope_parameters" : "rope_scaling";
  const rope = fields.rope_parameters ?? fields.rope_scaling ?? {};
  const theta = fields.rope_parameters?.rope_theta ?? fields.rope_theta ?? 10_000;
  const kind = rope.rope_type ?? rope.type ?? "default";
  if (kind === "default") return { theta, llama3: null };
  if (kind !== "llama3") {
    throw new UserError({
      what: `The rotary scaling ${shown(kind)} is not supported; "default" and "llama3" are.`,
      where: `${file}: ${field}.rope_type`,
      fix: "Choose a model without this context extension, usually the base it was extended from.",
    });
  }
  const needed = (name: "factor" | "low_freq_factor" | "high_freq_factor" | "original_max_position_embeddings"): number => {
    const value = rope[name];
    if (value === undefined) throw wrong(file, `${field}.${name}`, "Llama 3 rotary scaling needs this number, and it is missing.");
    return value;
  };
  const llama3 = {
    factor: needed("factor"),
    lowFreqFactor: needed("low_freq_factor"),
    highFreqFactor: needed("high_freq_factor"),
    originalMaxPositions: needed("original_max_position_embeddings"),
  };
  if (llama3.highFreqFactor <= llama3.lowFreqFactor) {
    throw wrong(file, `${field}.high_freq_factor`, `It is ${llama3.highFreqFactor}, but must be above low_freq_factor ${llama3.lowFreqFactor}.`);
  }
  return { theta, llama3 };
}

function readEosIds(folder: string, fields: LlamaFields): number[] {
  const generationFile = join(folder, "generation_config.json");
  const generation = parseFields(generationFields, readJsonFile(generationFile, jsonLimitBytes) ?? {}, generationFile);
  const ids = new Set([
    ...idsBelow(fields.vocab_size, fields.eos_token_id),
    ...idsBelow(fields.vocab_size, generation.eos_token_id),
  ]);
  if (ids.size === 0) {
    const id = eosOfTokenizer(folder);
    if (id !== null && id < fields.vocab_size) ids.add(id);
  }
  if (ids.size === 0) {
    throw wrong(
      join(folder, "config.json"), "eos_token_id",
      "Neither this file nor generation_config.json says which token ends an answer, so no answer would ever end.",
      "Add eos_token_id with the id of the model's end token.",
    );
  }
  return [...ids];
}

/** The id that tokenizer_config.json gives its eos_token, where it lists its added tokens. */
function eosOfTokenizer(folder: string): number | null {
  const json = readJsonFile(join(folder, "tokenizer_config.json"), jsonLimitBytes);
  const eos = tokenContent(json?.["eos_token"]);
  const decoder = json?.["added_tokens_decoder"];
  if (eos === null || typeof decoder !== "object" || decoder === null) return null;
  for (const [id, token] of Object.entries(decoder)) {
    if (tokenContent(token) === eos && /^\d{1,9}$/.test(id)) return Number(id);
  }
  return null;
}

/** A token of tokenizer_config.json: a string, or an object with its content. */
export function tokenContent(value: unknown): string | null {
  if (typeof value === "string") return value;
  const content = (value as { content?: unknown } | null | undefined)?.content;
  return typeof content === "string" ? content : null;
}

// Some published models carry −1 or an id past the vocabulary for a token they do not have.
function idsBelow(vocabulary: number, ids: number | number[] | null | undefined): number[] {
  return [ids ?? []].flat().filter((id) => id >= 0 && id < vocabulary);
}

function parseFields<T>(schema: z.ZodType<T>, json: unknown, file: string): T {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw wrong(file, issue.path.join(".") || "(whole file)", `${issue.message}.`);
}

function wrong(file: string, field: string, what: string, fix = "Mend this field, or download the model's config.json again."): UserError {
  return new UserError({ what, where: `${file}: ${field}`, fix });
}
