// Model folders: what opens, with which numbers, and what is refused with which words.

import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { describeFolder, looksLikeModel, openCheckpoint } from "../../native-models/checkpoint/checkpoint.ts";
import { readTensorF32 } from "../../native-models/checkpoint/safetensors.ts";
import { UserError } from "../../native-models/errors.ts";
import { goldenTest, realModel } from "../support/shared-paths.ts";
import { writeTinyModel } from "../support/tiny-model.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "nullspace-checkpoint-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function refusal(act: () => unknown): UserError {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return error as UserError;
  }
  throw new Error("nothing was refused");
}

function changeConfig(change: Record<string, unknown>): void {
  const file = join(folder, "config.json");
  writeFileSync(file, JSON.stringify({ ...(JSON.parse(readFileSync(file, "utf8")) as object), ...change }));
}

describe("a model folder", () => {
  test.each(["BF16", "F16", "F32"] as const)("opens with %s weights and the config it was written with", (dtype) => {
    const config = writeTinyModel(folder, { dtype, layers: 3 });
    const checkpoint = openCheckpoint(folder);
    expect(checkpoint.config).toEqual(config);
    expect(checkpoint.tensors.size).toBe(1 + 3 * 9 + 1);
    expect(checkpoint.tensors.get("model.layers.2.mlp.down_proj.weight")).toMatchObject({ dtype, shape: [32, 64] });
  });

  test("gives the same weights from one file and from shards, and from f32 and bf16 up to rounding", () => {
    const names = ["model.embed_tokens.weight", "lm_head.weight", "model.layers.1.mlp.gate_proj.weight"];
    const weights = (["F32", "BF16", "F16"] as const).flatMap((dtype) =>
      [1, 3].map((shards) => {
        const place = join(folder, `${dtype}-${shards}`);
        writeTinyModel(place, { dtype, shards, tiedEmbeddings: false });
        const checkpoint = openCheckpoint(place);
        return names.map((name) => readTensorF32(checkpoint, name));
      }),
    );
    const [exact, exactSharded, bf16, bf16Sharded, f16] = weights;
    expect(exactSharded).toEqual(exact);
    expect(bf16Sharded).toEqual(bf16);
    const worst = (got: Float32Array[], leastNormal: number): number =>
      Math.max(...got.flatMap((values, i) => [...values].map((value, at) => Math.abs(value - exact![i]![at]!) / Math.max(Math.abs(value), leastNormal))));
    expect(worst(bf16!, 0)).toBeLessThanOrEqual(2 ** -8); // half a unit in the last of 8 significant bits
    expect(worst(f16!, 2 ** -14)).toBeLessThanOrEqual(2 ** -11); // of 11 significant bits; below 2^-14 the unit stays
  });

  test("that ties its embeddings has them once", () => {
    writeTinyModel(folder, { tiedEmbeddings: true, dtype: "F32" });
    const tied = openCheckpoint(folder);
    const other = join(folder, "untied");
    writeTinyModel(other, { tiedEmbeddings: false, dtype: "F32" });
    const untied = openCheckpoint(other);
    expect(tied.tensors.has("lm_head.weight")).toBe(false);
    expect(untied.sizeBytes - tied.sizeBytes).toBe(300 * 32 * 4);
  });

  test("is named by its content: a copy of another seed has another fingerprint, opening twice the same", () => {
    writeTinyModel(folder);
    const first = openCheckpoint(folder).fingerprint;
    expect(openCheckpoint(folder).fingerprint).toBe(first);
    writeTinyModel(folder, { seed: 1 });
    expect(openCheckpoint(folder).fingerprint).not.toBe(first);
  });

  test("is told from other folders by names alone", () => {
    expect(looksLikeModel(folder)).toBe(false);
    writeTinyModel(folder, { shards: 2 });
    expect(looksLikeModel(folder)).toBe(true);
  });

  test("is seen while it is still being copied, with what is missing; another program's config.json is none", () => {
    writeTinyModel(folder);
    for (const name of ["model.safetensors", "tokenizer.json"]) rmSync(join(folder, name));
    expect(looksLikeModel(folder)).toBe(true);
    expect(describeFolder(folder)).toMatchObject({
      isUsable: false,
      problem: { what: "The folder has no model.safetensors (or model.safetensors.index.json with its parts) and no tokenizer.json.", where: folder, fix: expect.stringContaining("finish") },
    });
    writeTinyModel(folder);
    rmSync(join(folder, "tokenizer.json"));
    expect(describeFolder(folder)).toMatchObject({ isUsable: false, problem: { what: "The folder has no tokenizer.json." } });
    const other = join(folder, "editor");
    mkdirSync(other);
    writeFileSync(join(other, "config.json"), '{"theme": "dark"}');
    expect(looksLikeModel(other)).toBe(false);
    writeFileSync(join(other, "config.json"), '{"model_type": "lla');
    expect(looksLikeModel(other)).toBe(false);
  });

  test("is described with its parameters, or with what is wrong", () => {
    writeTinyModel(folder);
    const perLayer = 32 * 32 * 2 + 32 * 16 * 2 + 32 * 64 * 3 + 64;
    expect(describeFolder(folder)).toMatchObject({ isUsable: true, dtypes: ["BF16"], parameters: 300 * 32 + 2 * perLayer + 32 });
    rmSync(join(folder, "config.json"));
    expect(describeFolder(folder)).toMatchObject({ isUsable: false, problem: { what: expect.stringContaining("config.json") } });
  });
});

describe("a folder that is not usable says why", () => {
  test.each([
    [{ model_type: "qwen2" }, "model_type", "biases on q, k and v"],
    [{ model_type: "constructor" }, "model_type", "\"constructor\" are not supported"],
    [{ model_type: undefined }, "model_type", "does not say of which type"],
    [{ architectures: ["LlamaForSequenceClassification"] }, "architectures", "LlamaForSequenceClassification"],
    [{ hidden_act: "gelu" }, "hidden_act", "gelu"],
    [{ attention_bias: true }, "attention_bias", "Biases"],
    [{ mlp_bias: true }, "mlp_bias", "Biases"],
    [{ quantization_config: { quant_method: "gptq" } }, "quantization_config", "quantised"],
    [{ rope_parameters: { rope_type: "yarn", factor: 4 } }, "rope_parameters.rope_type", "yarn"],
    [{ rope_parameters: { rope_type: "llama3", factor: 4 } }, "rope_parameters.low_freq_factor", "missing"],
    [{ hidden_size: "32" }, "hidden_size", "expected"],
    [{ num_hidden_layers: 1e9 }, "num_hidden_layers", "10000"],
    [{ num_key_value_heads: 3 }, "num_key_value_heads", "do not divide"],
    [{ vocab_size: 400 }, "model.embed_tokens.weight", "300 × 32"],
    [{ num_hidden_layers: 3 }, "", "model.layers.2.input_layernorm.weight"],
    [{ tie_word_embeddings: false }, "", "lm_head.weight"],
  ])("%j", (change, field, words) => {
    writeTinyModel(folder);
    changeConfig(change);
    const error = refusal(() => openCheckpoint(folder));
    expect(error.where).toContain(folder);
    expect(error.where).toContain(field);
    expect(error.what).toContain(words);
    expect(error.fix.length).toBeGreaterThan(10);
  });

  test("when no file names an end token", () => {
    writeTinyModel(folder);
    rmSync(join(folder, "generation_config.json"));
    changeConfig({ eos_token_id: null });
    expect(refusal(() => openCheckpoint(folder)).where).toContain("eos_token_id");
  });

  test("when the weights are cut short, missing or elsewhere", () => {
    writeTinyModel(folder);
    truncateSync(join(folder, "model.safetensors"), 20_000);
    expect(refusal(() => openCheckpoint(folder)).what).toContain("but the file has");
    rmSync(join(folder, "model.safetensors"));
    writeFileSync(join(folder, "pytorch_model.bin"), "");
    expect(refusal(() => openCheckpoint(folder)).fix).toContain("pytorch_model.bin");
    writeFileSync(join(folder, "model.safetensors.index.json"), JSON.stringify({ weight_map: { a: "../../etc/x.safetensors" } }));
    expect(refusal(() => openCheckpoint(folder)).what).toContain("no .safetensors file of this folder");
    writeFileSync(join(folder, "model.safetensors.index.json"), JSON.stringify({ weight_map: { a: "x.safetensors", b: "y.safetensors" } }));
    expect(refusal(() => openCheckpoint(folder)).what).toContain("2 of 2 weight files are missing");
  });
});

describe("config.json", () => {
  test("is read alike in the old form and the new", () => {
    const llama3 = { factor: 8, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositions: 8192 };
    const config = writeTinyModel(folder, { rope: { theta: 500_000, llama3 } });
    expect(openCheckpoint(folder).config).toEqual(config);
    changeConfig({
      rope_parameters: undefined,
      rope_theta: 500_000,
      rope_scaling: { rope_type: "llama3", factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 },
      head_dim: undefined,
    });
    expect(openCheckpoint(folder).config).toEqual(config);
  });

  test("and generation_config.json together name every end token, once, in the vocabulary", () => {
    writeTinyModel(folder);
    changeConfig({ eos_token_id: [2, 0], pad_token_id: -1, bos_token_id: null });
    writeFileSync(join(folder, "generation_config.json"), JSON.stringify({ eos_token_id: [2, 299, 300] }));
    expect(openCheckpoint(folder).config).toMatchObject({ eosIds: [2, 0, 299], padId: null, bosId: null });
  });
});

goldenTest("the real model opens: 272 tensors, 269,030,016 bytes", () => {
  const checkpoint = openCheckpoint(realModel());
  expect(checkpoint.tensors.size).toBe(272);
  expect(checkpoint.sizeBytes).toBe(269_030_016);
  expect(checkpoint.config).toMatchObject({ layers: 30, heads: 9, kvHeads: 3, headSize: 64, rope: { theta: 100_000 }, eosIds: [2] });
});

test("a folder copied elsewhere still opens: no path is stored", () => {
  const first = join(folder, "first");
  mkdirSync(first);
  writeTinyModel(first);
  cpSync(first, join(folder, "second"), { recursive: true });
  rmSync(first, { recursive: true });
  expect(openCheckpoint(join(folder, "second")).tensors.size).toBe(20);
});
