// GGUF files become Hugging Face folders that compute the same; what cannot is refused by name.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openCheckpoint } from "../../native-models/checkpoint/checkpoint.ts";
import { openSafetensors } from "../../native-models/checkpoint/safetensors.ts";
import { openTokenizer } from "../../native-models/checkpoint/tokenizer.ts";
import { UserError } from "../../native-models/errors.ts";
import type { Checkpoint } from "../../native-models/checkpoint/types.ts";
import { convertGguf } from "../../native-models/gguf/convert.ts";
import { dequantise } from "../../native-models/gguf/dequantise.ts";
import { goldenFile, goldenTest, realModel } from "../support/shared-paths.ts";
import { writeTinyModel } from "../support/tiny-model.ts";
import { tinyGguf, writeGguf } from "./gguf-file.ts";
import type { MetadataItem, TensorItem } from "./gguf-file.ts";

let root: string;
let base: Checkpoint;
let file: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "nullspace-gguf-"));
  file = join(root, "tiny.gguf");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function makeTiny(options: Parameters<typeof writeTinyModel>[1] = {}): { metadata: MetadataItem[]; tensors: TensorItem[] } {
  writeTinyModel(join(root, "base"), options);
  base = openCheckpoint(join(root, "base"));
  return tinyGguf(base);
}

function tensorBytes(folder: string): Record<string, string> {
  const opened = openSafetensors(join(folder, "model.safetensors"));
  return Object.fromEntries([...opened.entries.keys()].sort().map((name) => [name, Buffer.from(opened.bytes(name)).toString("base64")]));
}

test.each([true, false])("a tiny Llama comes back bit for bit, with its config, tokens and template (tied: %s)", async (tiedEmbeddings) => {
  const { metadata, tensors } = makeTiny({ tiedEmbeddings });
  writeGguf(file, metadata, tensors);
  const seen: number[] = [];
  const folder = await convertGguf(file, join(root, "out"), { onProgress: (done, total) => seen.push(done / total) });
  expect(tensorBytes(folder)).toEqual(tensorBytes(base.folder));
  const { rmsNormEps, ...config } = openCheckpoint(folder).config;
  const { rmsNormEps: written, ...others } = base.config;
  expect(config).toEqual(others);
  expect(rmsNormEps).toBe(Math.fround(written)); // GGUF keeps it as float32
  const [tokenizer, original] = [openTokenizer(folder), openTokenizer(base.folder)];
  const text = "<|im_start|>user\nThe other thing, and what?<|im_end|>";
  expect(tokenizer.encode(text)).toEqual(original.encode(text));
  const chat = [{ role: "user" as const, content: "Hi" }];
  expect(tokenizer.chatTemplate!(chat, { addGenerationPrompt: true })).toBe(original.chatTemplate!(chat, { addGenerationPrompt: true }));
  expect(seen.at(-1)).toBe(1);
});

test("Llama 3 scaling is found again from its frequencies", async () => {
  const rope = { theta: 500_000, llama3: { factor: 32, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositions: 8192 } };
  const { metadata, tensors } = makeTiny({ rope, headSize: 64, heads: 2, kvHeads: 1, hidden: 128 });
  const divisors = Float32Array.from({ length: 32 }, (_, i) => {
    const wavelength = 2 * Math.PI * 500_000 ** (i / 32);
    if (wavelength < 2048) return 1;
    if (wavelength > 8192) return 32;
    const smooth = (8192 / wavelength - 1) / 3;
    return 1 / ((1 - smooth) / 32 + smooth);
  });
  const frequencies = { name: "rope_freqs.weight", shape: [32], kind: 0, bytes: new Uint8Array(divisors.buffer) };
  writeGguf(file, metadata, [...tensors, frequencies]);
  expect(openCheckpoint(await convertGguf(file, join(root, "out"))).config.rope).toEqual(rope);
  divisors[31] = 30;
  writeGguf(file, metadata, [...tensors, frequencies]);
  await expect(convertGguf(file, join(root, "out2"))).rejects.toThrow("frequency 31");
});

describe("each kind of block", () => {
  interface Case {
    kind: string;
    blocks: string;
    values: string;
  }
  const cases = JSON.parse(readFileSync(new URL("fixtures/dequantised.json", import.meta.url), "utf8")) as Case[];
  test.each(cases)("$kind gives exactly the reference package's values", ({ kind, blocks, values }) => {
    const expected = new Float32Array(Uint8Array.from(Buffer.from(values, "base64")).buffer);
    const got = new Float32Array(expected.length);
    dequantise(kind, new Uint8Array(Buffer.from(blocks, "base64")), got);
    expect(got).toEqual(expected);
  });

  test("F16 and BF16 are exact, also at odd addresses", () => {
    const bytes = new Uint8Array([9, 0x00, 0x3c, 0x01, 0x00, 0xff, 0x7b]).subarray(1); // 1, 2^-24, 65504
    const out = new Float32Array(3);
    dequantise("F16", bytes, out);
    expect([...out]).toEqual([1, 2 ** -24, 65504]);
    dequantise("BF16", new Uint8Array([9, 0x80, 0x3f, 0x40, 0x40, 0x00, 0xc0]).subarray(1), out);
    expect([...out]).toEqual([1, 3, -2]);
  });
});

describe("a file that is not converted says why and leaves nothing", () => {
  const changed = (items: MetadataItem[], change: MetadataItem): MetadataItem[] => [...items.filter((item) => item.key !== change.key), change];
  test.each<[string, MetadataItem]>([
    ["\"qwen2\" are not supported", { key: "general.architecture", type: "text", value: "qwen2" }],
    ["SentencePiece or other", { key: "tokenizer.ggml.model", type: "text", value: "llama" }],
    ["cuts text as \"strange\"", { key: "tokenizer.ggml.pre", type: "text", value: "strange" }],
    ["Mixtures of experts", { key: "llama.expert_count", type: "u32", value: 8 }],
    ["rotary scaling \"yarn\"", { key: "llama.rope.scaling.type", type: "text", value: "yarn" }],
    ["several GGUF files", { key: "split.count", type: "u32", value: 2 }],
    ["lacks this tensor", { key: "llama.block_count", type: "u32", value: 3 }],
    ["tensor \"blk.1.attn_norm.weight\" that Llama blocks do not use", { key: "llama.block_count", type: "u32", value: 1 }],
    ["Merge 0 does not join", { key: "tokenizer.ggml.merges", type: "texts", value: ["q zz"] }],
    ["are the same text", { key: "tokenizer.ggml.tokens", type: "texts", value: ["a", "a"] }],
    ["is not a number", { key: "llama.embedding_length", type: "text", value: "32" }],
  ])("%s", async (words, change) => {
    const { metadata, tensors } = makeTiny();
    writeGguf(file, changed(metadata, change), tensors);
    const problem = await convertGguf(file, join(root, "out")).then(() => null, (error: unknown) => error);
    expect(problem).toBeInstanceOf(UserError);
    expect((problem as UserError).message).toContain(words === "SentencePiece or other" ? "is not read yet" : words);
    expect(readdirSync(root).sort()).toEqual(["base", "tiny.gguf"]);
  });

  test("a kind that is not computed is named", async () => {
    const { metadata, tensors } = makeTiny({ hidden: 256, headSize: 64 });
    const norm = tensors.find((tensor) => tensor.name === "output_norm.weight")!;
    writeGguf(file, metadata, [...tensors.filter((tensor) => tensor !== norm), { ...norm, kind: 10, bytes: new Uint8Array(84) }]);
    await expect(convertGguf(file, join(root, "out"))).rejects.toThrow("output_norm.weight is quantised as Q2_K");
  });

  test("a folder with files in it is left alone", async () => {
    const { metadata, tensors } = makeTiny();
    writeGguf(file, metadata, tensors);
    mkdirSync(join(root, "out"));
    writeFileSync(join(root, "out", "mine.txt"), "");
    await expect(convertGguf(file, join(root, "out"))).rejects.toThrow("not empty");
    expect(readdirSync(join(root, "out"))).toEqual(["mine.txt"]);
  });

  test("stopping half-way leaves nothing", async () => {
    const { metadata, tensors } = makeTiny();
    writeGguf(file, metadata, tensors);
    const stop = new AbortController();
    const done = convertGguf(file, join(root, "out"), { signal: stop.signal, onProgress: () => stop.abort() });
    await expect(done).rejects.toThrow("abort");
    expect(readdirSync(root).sort()).toEqual(["base", "tiny.gguf"]);
  });
});

const realGguf = (): string => join(realModel(), "gguf/SmolLM2-135M-Instruct.Q4_1.gguf");

goldenTest("SmolLM2's GGUF gives the folder's 272 tensors bit for bit, its config and the golden ids", async ({ skip }) => {
  if (!existsSync(realGguf())) skip("the model folder has no gguf/ beside it");
  const folder = await convertGguf(realGguf(), join(root, "out"));
  const [got, expected] = [openSafetensors(join(folder, "model.safetensors")), openSafetensors(join(realModel(), "model.safetensors"))];
  expect([...got.entries.keys()].sort()).toEqual([...expected.entries.keys()].sort());
  const different = [...expected.entries.keys()].filter((name) => Buffer.compare(got.bytes(name), expected.bytes(name)) !== 0);
  expect(different).toEqual([]);
  expect(openCheckpoint(folder).config).toEqual(openCheckpoint(realModel()).config);
  const golden = JSON.parse(readFileSync(goldenFile("tokens.json"), "utf8")) as { strings: string[]; ids: number[][] };
  expect(openTokenizer(folder).encodeBatch(golden.strings)).toEqual(golden.ids);
});
