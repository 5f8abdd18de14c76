// Calibration of a tiny model: Gram matrices against plain float64 sums, whatever the ranges and tiles.

import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { calibrate, type CalibrateOptions } from "../../native-models/calibration/calibrate.ts";
import { storedStates } from "../../native-models/calibration/hidden-states.ts";
import { planRanges, type RangePlan } from "../../native-models/calibration/layer-ranges.ts";
import { tilesOf } from "../../native-models/calibration/tiles.ts";
import type { Checkpoint } from "../../native-models/checkpoint/types.ts";
import type { Gram } from "../../native-models/nullspace/types.ts";
import { inputSize, modulesOf } from "../../native-models/programs/names.ts";
import { naiveLlama } from "../support/naive-llama.ts";
import { relativeDistance, tinyCheckpoint, tinyRow } from "../support/tiny-training.ts";

const [samples, length, layers] = [5, 12, 3];
const inputs = ["attention", "attentionOutput", "mlp", "mlpDown"] as const;
const ids = tinyRow(samples * length, 0, 1).ids as Int32Array;

let folder: string;
let checkpoint: Checkpoint;
let whole: Map<string, Gram>;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "nullspace-calibration-"));
  checkpoint = tinyCheckpoint(join(folder, "model"), { layers });
  whole = await grams();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function grams(options: Partial<CalibrateOptions> = {}): Promise<Map<string, Gram>> {
  const found = new Map<string, Gram>();
  await calibrate({ checkpoint, ids, samples, length, sink: (layer, input, gram) => void found.set(`${layer} ${input}`, gram), ...options });
  return found;
}

/** Σ x xᵀ, or Σ x, of every layer input over the windows, each window from position 0. */
function plainSums(of: "x xᵀ" | "x"): Map<string, Float64Array> {
  const sums = new Map<string, Float64Array>();
  const firstReader = new Map(inputs.flatMap((input) => Array.from({ length: layers }, (_, layer) => [modulesOf(checkpoint.config).find((module) => module.layer === layer && module.input === input)!.name, `${layer} ${input}`] as const)));
  const model = naiveLlama(checkpoint);
  for (let sample = 0; sample < samples; sample++) {
    model.logits(ids.subarray(sample * length, (sample + 1) * length), undefined, (module, x) => {
      const key = firstReader.get(module);
      if (key === undefined) return;
      const others = of === "x" ? [1] : x;
      const sum = sums.get(key) ?? new Float64Array(x.length * others.length);
      sums.set(key, sum);
      for (let i = 0; i < x.length; i++) for (let j = 0; j < others.length; j++) sum[i * others.length + j] += x[i] * others[j];
    });
  }
  return sums;
}

function worstOf(actual: ReadonlyMap<string, Gram>, expected: ReadonlyMap<string, { values: Float64Array } | Float64Array>): number {
  expect([...actual.keys()].sort()).toEqual([...expected.keys()].sort());
  return Math.max(...[...actual].map(([key, { values }]) => {
    const other = expected.get(key)!;
    return relativeDistance(values, other instanceof Float64Array ? other : other.values);
  }));
}

/** The plan with that many ranges, by taking a byte less than the last one needed. */
function planOf(count: number): RangePlan {
  const tiles = tilesOf({ ids, samples, length }, 2048);
  let plan: RangePlan | null = null;
  for (let availableBytes = Infinity; (plan?.ranges.length ?? 0) < count; availableBytes = plan.peakBytes - 1) plan = planRanges({ checkpoint, tiles, length, scaling: "raw", availableBytes, mostHiddenBytes: null });
  return plan!;
}

describe("the Gram matrices", () => {
  test("of all four inputs of every layer are the plain sums of x xᵀ", () => {
    const worst = worstOf(whole, plainSums("x xᵀ"));
    console.log(`Grams: worst ${worst.toExponential(1)} from float64`);
    expect(worst).toBeLessThan(1e-5); // activations are float32, a few 1e-7; the sums are float64
    for (const [key, { size, values }] of whole) {
      expect(size).toBe(inputSize(checkpoint.config, key.split(" ")[1] as (typeof inputs)[number]));
      expect(relativeDistance(values.map((_, at) => values[(at % size) * size + Math.floor(at / size)]), values), `${key} is symmetric`).toBeLessThan(1e-12);
    }
  });

  test("come with the plain sums of x and the number of tokens", () => {
    const expected = plainSums("x");
    for (const [key, { centre }] of whole) {
      expect(relativeDistance(centre!.sum, expected.get(key)!), key).toBeLessThan(1e-5); // activations are float32
      expect(centre!.count).toBe(samples * length);
    }
  });

  test("of two ranges and of three are those of all layers at once, to the last bit", async () => {
    for (const count of [2, 3]) {
      const availableBytes = planOf(count).peakBytes;
      const scratchBeside = join(folder, "grams");
      expect(worstOf(await grams({ availableBytes }), whole)).toBe(0);
      expect(worstOf(await grams({ availableBytes, scratchBeside, mostHiddenBytes: 0 }), whole)).toBe(0);
    }
  });

  test("hidden states wait in a file that is gone afterwards", () => {
    const states = storedStates(join(folder, "scratch"), [3, 3, 2]);
    const written = [[1, 2, 3], [4, 5, 6], [7, 8]].map((values) => Float32Array.from(values));
    written.forEach((values, i) => states.write(i, values));
    expect(Array.from(states.read(2))).toEqual([7, 8]);
    states.write(0, Float32Array.of(9, 9, 9));
    expect([0, 1, 2].map((i) => Array.from(states.read(i)))).toEqual([[9, 9, 9], [4, 5, 6], [7, 8]]);
    states.release();
    expect(readdirSync(folder).filter((name) => name.startsWith("scratch"))).toEqual([]);
  });

  test("do not depend on how many windows are run at once", async () => {
    for (const tileTokens of [1, length, 2 * length, 3 * length + 5]) {
      const worst = worstOf(await grams({ tileTokens }), whole);
      console.log(`Grams in tiles of ${tileTokens} tokens: worst ${worst.toExponential(1)} from one tile`);
      expect(worst).toBeLessThan(1e-6); // float32 products over other numbers of rows
    }
  });
});

test("layers come in order, with progress up to the end", async () => {
  const order: string[] = [];
  const progress: number[] = [];
  const total = samples * length * layers;
  await calibrate({ checkpoint, ids, samples, length, availableBytes: planOf(3).peakBytes, tileTokens: 2 * length, sink: (layer, input) => void order.push(`${layer} ${input}`), onProgress: (done, of) => (expect(of).toBe(total), void progress.push(done)) });
  expect(order).toEqual([0, 1, 2].flatMap((layer) => inputs.map((input) => `${layer} ${input}`)));
  expect(progress.at(-1)).toBe(total);
  expect(progress).toEqual([...progress].sort((a, b) => a - b));
});

test("a cancelled calibration ends with the signal's reason", async () => {
  const controller = new AbortController();
  await expect(grams({ tileTokens: length, signal: controller.signal, onProgress: () => controller.abort(new Error("asked to stop")) })).rejects.toThrow("asked to stop");
});

test("memory that not even one layer fits in is refused with its terms", async () => {
  await expect(grams({ availableBytes: 1e8 })).rejects.toThrow(/single layer would take 0\.\d\d GB of memory, but 0\.10 GB may be taken. In GB: process 0\.1/);
});
