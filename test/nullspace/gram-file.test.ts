import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { writeSafetensors } from "../../native-models/checkpoint/safetensors-writer.ts";
import type { ModelConfig } from "../../native-models/checkpoint/types.ts";
import { UserError } from "../../native-models/errors.ts";
import { createGramFile, layerInputs, openGramFile, packLower, requireGramsOf, unpackLower } from "../../native-models/nullspace/gram-file.ts";
import { inputSize } from "../../native-models/programs/names.ts";
import { writeTinyModel } from "../support/tiny-model.ts";
import { gramOf, normalMatrix } from "./synthetic.ts";

let folder: string;
let config: ModelConfig;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "nullspace-grams-"));
  config = writeTinyModel(join(folder, "model"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const info = { modelFingerprint: "m", questionsFingerprint: "q", samples: 4, length: 16, seed: 0, scaling: "raw" as const, tokens: 64 };

async function writeGrams(file: string): Promise<void> {
  const writer = createGramFile(file, config, info);
  for (let layer = 0; layer < config.layers; layer++) {
    for (const input of layerInputs) writer.write(layer, input, await gramOf(normalMatrix(80, inputSize(config, input), layer)));
  }
  writer.finish();
}

test("a Gram comes back bit for bit, with where it came from", async () => {
  const file = join(folder, "grams.safetensors");
  await writeGrams(file);
  const grams = openGramFile(file);
  expect(grams.info).toEqual({ ...info, layers: config.layers });
  for (const input of layerInputs) {
    const expected = await gramOf(normalMatrix(80, inputSize(config, input), 1));
    expect(grams.read(1, input)).toEqual({ ...unpackLower(packLower(expected), expected.size), centre: { sum: expected.centre!.sum, count: info.tokens } });
    expect(grams.size(1, input)).toBe(inputSize(config, input));
  }
  const triangles = config.layers * layerInputs.reduce((sum, input) => sum + (inputSize(config, input) * (inputSize(config, input) + 1)) / 2, 0);
  const sums = config.layers * layerInputs.reduce((sum, input) => sum + inputSize(config, input), 0);
  expect(statSync(file).size).toBeLessThan(8 * (triangles + sums) + 4096);
});

test("packing keeps the lower triangle and unpacking mirrors it", () => {
  const packed = Float64Array.of(1, 2, 3, 4, 5, 6);
  const gram = unpackLower(packed, 3);
  expect([...gram.values]).toEqual([1, 2, 4, 2, 3, 5, 4, 5, 6]);
  expect(packLower(gram)).toEqual(packed);
});

test("an abandoned file leaves nothing behind", async () => {
  const writer = createGramFile(join(folder, "grams.safetensors"), config, info);
  writer.write(0, "mlp", await gramOf(normalMatrix(80, config.hidden, 0)));
  writer.abandon();
  expect(readdirSync(folder)).toEqual(["model"]);
});

describe("is refused with a reason", () => {
  const open = (tensors: Parameters<typeof writeSafetensors>[1], metadata: Record<string, string>) => {
    const file = join(folder, "other.safetensors");
    writeSafetensors(file, tensors, metadata);
    return openGramFile(file);
  };
  const good = { format: "nullspace-grams", version: "2", modelFingerprint: "m", questionsFingerprint: "q", samples: "4", length: "16", seed: "0", scaling: "raw", tokens: "64", layers: "2" };
  const scalar = { name: "x", dtype: "F64" as const, shape: [1], data: Float64Array.of(1) };

  test("another kind of file", () => {
    expect(() => open([scalar], {})).toThrow(/not a Gram file/);
    expect(() => open([scalar], { ...good, format: "pt" })).toThrow(/another kind of .safetensors file/);
  });

  test("an older and a newer format", () => {
    expect(() => open([scalar], { ...good, version: "1" })).toThrow(/format version 1; this program reads version 2/);
    expect(() => open([scalar], { ...good, version: "3" })).toThrow(/format version 3; this program reads version 2/);
  });

  test("metadata that make no sense", () => {
    expect(() => open([scalar], { ...good, tokens: "-1" })).toThrow(/tokens = -1/);
  });

  test("a missing or misshapen Gram", () => {
    expect(() => open([scalar], good).read(0, "mlp")).toThrow(/lacks layers.0.mlp/);
    expect(() => open([{ ...scalar, name: "layers.0.mlp", shape: [5], data: new Float64Array(5) }], good).read(0, "mlp")).toThrow(/not a packed triangle/);
    expect(() => open([{ name: "layers.0.mlp", dtype: "F64", shape: [3], data: new Float64Array(3) }], good).read(0, "mlp")).toThrow(/layers.0.mlp.sum is not there with 2 values/);
    expect(() => open([{ name: "layers.0.mlp", dtype: "F32", shape: [3], data: new Float32Array(3) }], good).read(0, "mlp")).toThrow(UserError);
  });

  test("Grams of another model", async () => {
    const file = join(folder, "grams.safetensors");
    await writeGrams(file);
    const grams = openGramFile(file);
    expect(() => requireGramsOf(grams, "m", config)).not.toThrow();
    expect(() => requireGramsOf(grams, "other", config)).toThrow(/made from another model/);
    expect(() => requireGramsOf(grams, "m", { ...config, mlpWidth: 128 })).toThrow(/mlpDown input of 64; this model has 2 layers and 128/);
  });
});
