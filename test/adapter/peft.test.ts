// PEFT folders: what is written, what reads back, what is refused, and the export of a start-modified adapter.

import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { combineWithStart, readPeftAdapter, writePeftAdapter } from "../../native-models/adapter/peft.ts";
import type { PeftModule } from "../../native-models/adapter/peft.ts";
import { openCheckpoint } from "../../native-models/checkpoint/checkpoint.ts";
import { f32ToBf16 } from "../../native-models/checkpoint/float-formats.ts";
import { openSafetensors } from "../../native-models/checkpoint/safetensors.ts";
import { writeSafetensors } from "../../native-models/checkpoint/safetensors-writer.ts";
import type { Checkpoint } from "../../native-models/checkpoint/types.ts";
import type { AdapterStart } from "../../native-models/nullspace/types.ts";
import { seededNormal, writeTinyModel } from "../support/tiny-model.ts";

let root: string;
let base: Checkpoint;
let folder: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "nullspace-adapter-"));
  writeTinyModel(join(root, "base"));
  base = openCheckpoint(join(root, "base"));
});
beforeEach(() => {
  folder = join(mkdtempSync(join(root, "run-")), "adapter");
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const normal = seededNormal(7);
const random = (length: number): Float32Array => Float32Array.from({ length }, normal);

function moduleOf(name: string, rank: number): PeftModule {
  const [out, inSize] = base.tensors.get(`${name}.weight`)!.shape as [number, number];
  return { name, in: inSize, out, a: random(rank * inSize), b: random(out * rank) };
}

const everywhere = (parts: string[]): string[] => [0, 1].flatMap((layer) => parts.map((part) => `model.layers.${layer}.${part}`));
const write = (names: string[], rank = 4, alpha = 8): PeftModule[] => {
  const modules = names.map((name) => moduleOf(name, rank));
  writePeftAdapter(folder, { baseModelName: "tiny", rank, alpha, modules, layers: 2, cardText: "Trained on nothing." });
  return modules;
};

test("an adapter reads back as it was written, at the scale alpha over rank", () => {
  const modules = write(everywhere(["self_attn.k_proj", "mlp.down_proj"]));
  const adapter = readPeftAdapter(folder, base);
  expect(adapter).toMatchObject({ baseModelName: "tiny", ranks: [4] });
  expect(adapter.modules.map(({ name, scale, rank }) => ({ name, scale, rank }))).toEqual(
    modules.map(({ name }) => ({ name, scale: 2, rank: 4 })).sort((x, y) => (x.name < y.name ? -1 : 1)),
  );
  for (const module of modules) {
    const read = adapter.modules.find((other) => other.name === module.name)!;
    expect([read.a, read.b, read.in, read.out]).toEqual([module.a, module.b, module.in, module.out]);
  }
});

test("the config has exactly the keys every PEFT knows, sorted, and the tensors PEFT's names", () => {
  write(everywhere(["self_attn.v_proj", "self_attn.q_proj"]));
  const text = readFileSync(join(folder, "adapter_config.json"), "utf8");
  const config = JSON.parse(text) as Record<string, unknown>;
  expect(config).toEqual({
    alpha_pattern: {}, base_model_name_or_path: "tiny", bias: "none", fan_in_fan_out: false, inference_mode: true, init_lora_weights: true,
    lora_alpha: 8, lora_dropout: 0, modules_to_save: null, peft_type: "LORA", r: 4, rank_pattern: {}, target_modules: ["q_proj", "v_proj"],
    task_type: "CAUSAL_LM", use_dora: false, use_rslora: false,
  });
  expect(Object.keys(config)).toEqual(Object.keys(config).sort());
  expect(text).toContain('\n  "alpha_pattern"');
  const weights = openSafetensors(join(folder, "adapter_model.safetensors"));
  expect(weights.metadata.get("format")).toBe("pt");
  expect(weights.shape("base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight")).toEqual([16, 4]);
  expect(weights.shape("base_model.model.model.layers.1.self_attn.v_proj.lora_A.weight")).toEqual([4, 32]);
  expect(readFileSync(join(folder, "README.md"), "utf8")).toContain("Trained on nothing.");
});

test("an adapter on some layers only names its targets by their whole path", () => {
  write(["model.layers.1.mlp.up_proj"]);
  expect(JSON.parse(readFileSync(join(folder, "adapter_config.json"), "utf8"))).toMatchObject({ target_modules: ["model.layers.1.mlp.up_proj"] });
});

test("writing again replaces the adapter and leaves nothing beside it", () => {
  write(everywhere(["mlp.up_proj"]));
  write(everywhere(["mlp.gate_proj"]), 2);
  expect(readPeftAdapter(folder, base).modules.map((module) => module.name)).toEqual(everywhere(["mlp.gate_proj"]));
  expect(readdirSync(join(folder, ".."))).toEqual(["adapter"]);
});

describe("other people's adapters", () => {
  const configWith = (change: Record<string, unknown>): void => {
    const file = join(folder, "adapter_config.json");
    writeFileSync(file, JSON.stringify({ ...(JSON.parse(readFileSync(file, "utf8")) as object), ...change }));
  };

  test("may be rsLoRA, and may have ranks and alphas of their own by module", () => {
    write(everywhere(["mlp.up_proj"]), 4, 8);
    configWith({ use_rslora: true });
    expect(readPeftAdapter(folder, base).modules[0]!.scale).toBe(4);
    configWith({ use_rslora: false, r: 16, rank_pattern: { up_proj: 4 }, alpha_pattern: { "layers.1.mlp.up_proj": 20 } });
    expect(readPeftAdapter(folder, base).modules.map((module) => module.scale)).toEqual([2, 5]);
  });

  test("may be stored in bf16", () => {
    const [module] = write(["model.layers.0.mlp.up_proj"]);
    const rounded = (values: Float32Array): Uint16Array => {
      const bits = new Uint16Array(values.length);
      f32ToBf16(values, bits);
      return bits;
    };
    const prefix = "base_model.model.model.layers.0.mlp.up_proj";
    writeSafetensors(join(folder, "adapter_model.safetensors"), [
      { name: `${prefix}.lora_A.weight`, dtype: "BF16", shape: [4, 32], data: rounded(module!.a) },
      { name: `${prefix}.lora_B.weight`, dtype: "BF16", shape: [64, 4], data: rounded(module!.b) },
    ]);
    const { a } = readPeftAdapter(folder, base).modules[0]!;
    expect(Math.max(...a.map((value, i) => Math.abs(value / module!.a[i]! - 1)))).toBeLessThanOrEqual(2 ** -8 / (1 - 2 ** -8));
  });

  test.each([
    [{ peft_type: "IA3" }, "only LORA"],
    [{ use_dora: true }, "DoRA"],
    [{ bias: "all" }, "biases"],
    [{ modules_to_save: ["lm_head"] }, "whole modules"],
    [{ init_lora_weights: "pissa" }, "pissa"],
    [{ fan_in_fan_out: true }, "transposed"],
    [{ r: 8 }, "adapter_config.json says 8"],
    [{ r: -1 }, "Too small"],
    [{ lora_alpha: "8" }, "expected number"],
    [{ rank_pattern: { "(a+)+$": 4 } }, "not a plain module path"],
  ])("are refused for %j", (change, words) => {
    write(everywhere(["mlp.up_proj"]));
    configWith(change);
    expect(() => readPeftAdapter(folder, base)).toThrow(words);
  });

  test.each([
    ["a shape that is not the base's", "base_model.model.model.layers.0.mlp.up_proj", [4, 16], "4 × 16"],
    ["a layer the base lacks", "base_model.model.model.layers.7.mlp.up_proj", [4, 32], "no such projection"],
    ["a module that is no projection", "base_model.model.model.norm", [4, 32], "no such projection"],
    ["another layout", "model.layers.0.mlp.up_proj", [4, 32], "no part of a LoRA pair"],
  ])("are refused for %s", (_, prefix, shapeA, words) => {
    write(everywhere(["mlp.up_proj"]));
    writeSafetensors(join(folder, "adapter_model.safetensors"), [
      { name: `${prefix}.lora_A.weight`, dtype: "F32", shape: shapeA, data: random(shapeA[0]! * shapeA[1]!) },
      { name: `${prefix}.lora_B.weight`, dtype: "F32", shape: [64, 4], data: random(256) },
    ]);
    expect(() => readPeftAdapter(folder, base)).toThrow(words);
  });

  test("are refused when half a pair, a number or a file is missing", () => {
    const [module] = write(["model.layers.0.mlp.up_proj"]);
    const name = "base_model.model.model.layers.0.mlp.up_proj.lora_";
    const file = join(folder, "adapter_model.safetensors");
    const a = { name: `${name}A.weight`, dtype: "F32" as const, shape: [4, 32], data: module!.a };
    writeSafetensors(file, [a]);
    expect(() => readPeftAdapter(folder, base)).toThrow("lora_B is missing");
    writeSafetensors(file, [a, { name: `${name}B.weight`, dtype: "F32", shape: [64, 4], data: new Float32Array(256).fill(NaN) }]);
    expect(() => readPeftAdapter(folder, base)).toThrow("not finite");
    rmSync(file);
    expect(() => readPeftAdapter(folder, base)).toThrow("no adapter_model.safetensors");
    rmSync(folder, { recursive: true });
    expect(() => readPeftAdapter(folder, base)).toThrow("no adapter_config.json");
    expect(existsSync(folder)).toBe(false);
  });
});

describe("a trained adapter combined with its start", () => {
  const [rank, inSize, out] = [3, 5, 4];
  const pair = (): AdapterStart => ({ rank, a: random(rank * inSize), b: random(out * rank) });
  const product = ({ rank: r, a, b }: AdapterStart): Float64Array =>
    Float64Array.from({ length: out * inSize }, (_, at) => {
      const [row, column] = [Math.floor(at / inSize), at % inSize];
      let sum = 0;
      for (let k = 0; k < r; k += 1) sum += b[row * r + k]! * a[k * inSize + column]!;
      return sum;
    });
  const worstDifference = (x: Float64Array, y: Float64Array): number => Math.max(...x.map((value, i) => Math.abs(value - y[i]!)));

  test("is B·A − B0·A0 exactly, at twice the rank", () => {
    const [trained, start] = [pair(), pair()];
    const combined = combineWithStart(trained, start, { isAFrozen: false });
    expect(combined.rank).toBe(2 * rank);
    const [now, then] = [product(trained), product(start)];
    expect(worstDifference(product(combined), now.map((value, i) => value - then[i]!))).toBeLessThan(1e-14); // sums in double, another order
  });

  test("keeps its rank where A was frozen", () => {
    const start = pair();
    const trained = { ...start, b: random(out * rank) };
    const combined = combineWithStart(trained, start, { isAFrozen: true });
    expect(combined.rank).toBe(rank);
    const [now, then] = [product(trained), product(start)];
    expect(worstDifference(product(combined), now.map((value, i) => value - then[i]!))).toBeLessThan(1e-5); // B − B0 rounds to float32
  });
});
