// config.json and generation_config.json of the model in a GGUF file.
// In: metadata and tensor shapes. Out: the JSON that config.ts reads back. What Llama blocks cannot compute is refused.

import { dequantise, requireReadable } from "./dequantise.ts";
import { readMetadata } from "./metadata.ts";
import type { MetadataReader } from "./metadata.ts";
import type { GgufFile } from "./types.ts";
import { readFully, withFile } from "../checkpoint/file-bytes.ts";

export interface HubConfigs {
  config: Record<string, unknown>;
  generation: Record<string, unknown>;
}

export function hubConfigs(gguf: GgufFile): HubConfigs {
  const meta = readMetadata(gguf);
  refuseOthers(meta);
  const wholeOf = (key: string): number => meta.needed(key, meta.whole(key));
  const hidden = wholeOf("llama.embedding_length");
  const heads = wholeOf("llama.attention.head_count");
  const embedding = gguf.tensors.get("token_embd.weight");
  if (embedding === undefined) throw meta.refuse("token_embd.weight", "The file lacks this tensor.");
  const headSize = meta.whole("llama.attention.key_length") ?? hidden / Math.max(heads, 1);
  const rotated = meta.whole("llama.rope.dimension_count") ?? headSize;
  if (rotated !== headSize) throw meta.refuse("llama.rope.dimension_count", `Only ${rotated} of ${headSize} elements of a head are rotated, which is not supported.`);
  const theta = meta.real("llama.rope.freq_base") ?? 10_000;
  const bos = meta.whole("tokenizer.ggml.bos_token_id");
  const pad = meta.whole("tokenizer.ggml.padding_token_id");
  const ends = ["eos", "eot", "eom"].map((name) => meta.whole(`tokenizer.ggml.${name}_token_id`)).filter((id) => id !== null);
  const eos = ends.length > 1 ? [...new Set(ends)] : (ends[0] ?? null);
  const config = {
    architectures: ["LlamaForCausalLM"],
    attention_bias: false,
    bos_token_id: bos,
    dtype: "bfloat16",
    eos_token_id: eos,
    head_dim: headSize,
    hidden_act: "silu",
    hidden_size: hidden,
    intermediate_size: wholeOf("llama.feed_forward_length"),
    max_position_embeddings: wholeOf("llama.context_length"),
    mlp_bias: false,
    model_type: "llama",
    num_attention_heads: heads,
    num_hidden_layers: wholeOf("llama.block_count"),
    num_key_value_heads: keyValueHeads(meta) ?? heads,
    pad_token_id: pad,
    rms_norm_eps: meta.needed("llama.attention.layer_norm_rms_epsilon", meta.real("llama.attention.layer_norm_rms_epsilon")),
    rope_scaling: ropeScaling(gguf, meta, headSize, theta),
    rope_theta: theta,
    tie_word_embeddings: !gguf.tensors.has("output.weight"),
    torch_dtype: "bfloat16",
    vocab_size: embedding.shape[0],
  };
  return { config, generation: { bos_token_id: bos, eos_token_id: eos, pad_token_id: pad } };
}

function refuseOthers(meta: MetadataReader): void {
  const architecture = meta.needed("general.architecture", meta.text("general.architecture"));
  if (architecture !== "llama") {
    throw meta.refuse("general.architecture", `Models of the kind ${JSON.stringify(architecture.slice(0, 60))} are not supported yet; "llama" is.`, "Choose a Llama model.");
  }
  if ((meta.whole("split.count") ?? 1) > 1) {
    throw meta.refuse("split.count", "The model is split over several GGUF files.", "Join them with llama-gguf-split --merge first.");
  }
  if ((meta.whole("llama.expert_count") ?? 0) > 0) throw meta.refuse("llama.expert_count", "Mixtures of experts are not supported.", "Choose a dense model.");
  const scaling = meta.text("llama.rope.scaling.type") ?? "none";
  if (scaling !== "none") {
    throw meta.refuse("llama.rope.scaling.type", `The rotary scaling ${JSON.stringify(scaling.slice(0, 40))} is not supported.`, "Choose the model without this context extension.");
  }
}

function keyValueHeads(meta: MetadataReader): number | null {
  const key = "llama.attention.head_count_kv";
  try {
    return meta.whole(key);
  } catch {
    const perLayer = new Set(meta.wholes(key));
    if (perLayer.size === 1) return [...perLayer][0]!;
    throw meta.refuse(key, "Its layers have different numbers of key/value heads, which is not supported.");
  }
}

// Llama 3.1's frequency scaling is kept in GGUF only as its result, one divisor a frequency in rope_freqs.weight. All
// published models use bounds 1 and 4 around 8192 positions, so the factor is the largest divisor; this is checked.
function ropeScaling(gguf: GgufFile, meta: MetadataReader, headSize: number, theta: number): Record<string, unknown> | null {
  const tensor = gguf.tensors.get("rope_freqs.weight");
  if (tensor === undefined) return null;
  requireReadable(gguf.file, tensor);
  if (tensor.shape.length !== 1 || tensor.shape[0] !== headSize / 2) throw meta.refuse("rope_freqs.weight", `It has ${tensor.shape.join(" × ")} elements, not ${headSize / 2}.`);
  const divisors = new Float32Array(headSize / 2);
  const bytes = new Uint8Array(tensor.sizeBytes);
  withFile(gguf.file, (fd) => readFully(fd, bytes, tensor.offsetBytes, gguf.file));
  dequantise(tensor.kind.name, bytes, divisors);
  const factor = Math.max(...divisors);
  if (factor === 1) return null;
  const [low, high, original] = [1, 4, 8192];
  divisors.forEach((divisor, i) => {
    const wavelength = 2 * Math.PI * theta ** ((2 * i) / headSize);
    const smooth = (original / wavelength - low) / (high - low);
    const expected = wavelength < original / high ? 1 : wavelength > original / low ? factor : 1 / ((1 - smooth) / factor + smooth);
    if (!(Math.abs(divisor - expected) <= 1e-3 * expected)) {
      throw meta.refuse("rope_freqs.weight", `Its frequency ${i} is divided by ${divisor}, not by ${expected.toPrecision(6)} as Llama 3 scaling with factor ${factor} would.`);
    }
  });
  return { rope_type: "llama3", factor, low_freq_factor: low, high_freq_factor: high, original_max_position_embeddings: original };
}
