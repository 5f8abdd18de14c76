// Rounding by inputs against what it must equal and what it must beat.

import { describe, expect, test } from "vitest";
import { plainKernels } from "../../native-models/nullspace/kernels.ts";
import type { Gram } from "../../native-models/nullspace/types.ts";
import { blockSize, dequantiseRows, type QuantisedMatrix } from "../../native-models/quantised/blocks.ts";
import { feedbackOf, roundWithFeedback } from "../../native-models/quantised/gptq.ts";
import { searchGrid } from "../../native-models/quantised/scale-search.ts";
import { roundTo4Plainly } from "../support/plain-rounding.ts";
import { seededNormal } from "../support/tiny-model.ts";

/** Inputs [tokens,size] that go together: a few hidden causes, some of them strong, and noise. */
function correlatedInputs(tokens: number, size: number, seed: number): Float64Array {
  const normal = seededNormal(seed);
  const causes = Math.ceil(size / 8);
  const mixing = Float64Array.from({ length: causes * size }, (_, i) => normal() * (Math.floor(i / size) < 3 ? 4 : 1));
  const inputs = new Float64Array(tokens * size);
  for (let t = 0; t < tokens; t++) {
    const cause = Array.from({ length: causes }, () => normal());
    for (let i = 0; i < size; i++) inputs[t * size + i] = 0.3 * normal() + cause.reduce((sum, value, c) => sum + value * mixing[c * size + i]!, 0);
  }
  return inputs;
}

function gramOf(inputs: Float64Array, size: number): Gram {
  const values = new Float64Array(size * size);
  for (let t = 0; t < inputs.length / size; t++) {
    for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) values[i * size + j]! += inputs[t * size + i]! * inputs[t * size + j]!;
  }
  return { size, values };
}

const randomWeights = (length: number, seed: number): Float32Array => {
  const normal = seededNormal(seed);
  return Float32Array.from({ length }, () => 0.05 * normal());
};

/** tr((W − Ŵ) G (W − Ŵ)ᵀ) */
function errorOf(weights: Float32Array, rounded: QuantisedMatrix, { size, values }: Gram): number {
  const back = dequantiseRows(rounded, size);
  const off = weights.map((value, i) => value - back[i]!);
  let total = 0;
  for (let row = 0; row < off.length; row += size) {
    for (let i = 0; i < size; i++) {
      let sum = 0;
      for (let j = 0; j < size; j++) sum += values[i * size + j]! * off[row + j]!;
      total += sum * off[row + i]!;
    }
  }
  return total;
}

async function round(weights: Float32Array, gram: Gram): Promise<QuantisedMatrix> {
  return roundWithFeedback(weights, (await feedbackOf(gram, plainKernels))!, plainKernels);
}

describe("rounding by inputs", () => {
  test.each([{ size: 96, out: 24 }, { size: 4 * blockSize + 7, out: 9 }])("of $out × $size weights loses less than a quarter of what rounding to the nearest loses", async ({ size, out }) => {
    const gram = gramOf(correlatedInputs(4 * size, size, 1), size);
    const weights = randomWeights(out * size, 2);
    const [nearest, fed] = [errorOf(weights, roundTo4Plainly(weights, size), gram), errorOf(weights, await round(weights, gram), gram)];
    console.log(`${out} × ${size}: ${(nearest / fed).toFixed(1)} times less`);
    expect(fed).toBeLessThan(nearest / 4);
  });

  test("gives the integers of optimal brain quantisation, done column by column with the whole inverse", async () => {
    const [size, out] = [2 * blockSize + 10, 6];
    const gram = gramOf(correlatedInputs(5 * size, size, 3), size);
    const weights = randomWeights(out * size, 4);
    const { order } = (await feedbackOf(gram, plainKernels))!;
    const found = await round(weights, gram);
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: size }, (_, i) => i));
    const expected = slowLevels(weights, gram, order, found);
    const back = dequantiseRows(found, size);
    let checked = 0;
    for (let i = 0; i < back.length; i++) {
      expect(back[i]).toBeCloseTo(expected[i]!, 6);
      checked += 1;
    }
    expect(checked).toBe(out * size);
  });

  test("of inputs that never come is rounding on the best grid, and of none finite there is none", async () => {
    const size = 2 * blockSize;
    const weights = randomWeights(3 * size, 5);
    const even = { size, values: Float64Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 1 : 0)) };
    const never = await round(weights, { size, values: new Float64Array(size * size) });
    expect(errorOf(weights, never, even)).toBeLessThanOrEqual(errorOf(weights, roundTo4Plainly(weights, size), even));
    expect(await feedbackOf({ size, values: new Float64Array(size * size).fill(NaN) }, plainKernels)).toBeNull();
  });

  test("leaves weights alone that lie on a grid", async () => {
    const size = blockSize;
    const weights = Float32Array.from({ length: 2 * size }, (_, i) => ((i % 16) - 5) * 0.25);
    const back = dequantiseRows(await round(weights, gramOf(correlatedInputs(100, size, 6), size)), size);
    back.forEach((value, i) => expect(value).toBeCloseTo(weights[i]!, 6));
  });
});

/** OBQ (arXiv 2208.11580) in a given order: H⁻¹ by elimination, each column's error handed on by its row of H⁻¹. */
function slowLevels(weights: Float32Array, { size, values }: Gram, order: Int32Array, grid: QuantisedMatrix): Float64Array {
  const mean = values.reduce((sum, value, i) => sum + (i % (size + 1) === 0 ? value : 0), 0) / size;
  const inverse = inverted(Float64Array.from(values, (value, i) => value / mean + (i % (size + 1) === 0 ? 0.01 : 0)), size);
  const blocks = Math.ceil(size / blockSize);
  const w = Float64Array.from(weights);
  for (const j of order) {
    const pivot = inverse[j * size + j]!;
    for (let row = 0; row < w.length / size; row++) {
      const block = Math.floor(j / blockSize);
      const scale = grid.scales[row * blocks + block]!;
      const zero = (grid.zeros![row * Math.ceil(blocks / 2) + (block >> 1)]! >> (4 * (block & 1))) & 15;
      const value = (Math.min(15, Math.max(0, Math.round(w[row * size + j]! / scale) + zero)) - zero) * scale;
      const error = (w[row * size + j]! - value) / pivot;
      for (let k = 0; k < size; k++) w[row * size + k]! -= error * inverse[j * size + k]!;
      w[row * size + j] = value;
    }
    const own = inverse.slice(j * size, (j + 1) * size); // the inverse without row and column j of H
    for (let i = 0; i < size; i++) {
      const share = own[i]! / pivot;
      for (let k = 0; k < size; k++) inverse[i * size + k]! -= share * own[k]!;
    }
  }
  return w;
}

function inverted(a: Float64Array, n: number): Float64Array {
  const inverse = Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0));
  for (let p = 0; p < n; p++) {
    const pivot = a[p * n + p]!;
    for (let k = 0; k < n; k++) [a[p * n + k], inverse[p * n + k]] = [a[p * n + k]! / pivot, inverse[p * n + k]! / pivot];
    for (let i = 0; i < n; i++) {
      const share = a[i * n + p]!;
      if (i !== p) for (let k = 0; k < n; k++) [a[i * n + k], inverse[i * n + k]] = [a[i * n + k]! - share * a[p * n + k]!, inverse[i * n + k]! - share * inverse[p * n + k]!];
    }
  }
  return inverse;
}

describe("a block's grid", () => {
  test.each([{ name: "even weights", weighing: () => 1 }, { name: "uneven weights", weighing: (i: number) => 1 + (i % 5) }])("loses no more than the block's own range, and less over many ($name)", ({ weighing }) => {
    const normal = seededNormal(7);
    const weights = Float64Array.from({ length: blockSize }, (_, i) => weighing(i));
    let [searched, plain] = [0, 0];
    for (let trial = 0; trial < 200; trial++) {
      const values = Float32Array.from({ length: blockSize }, () => normal() + 0.4);
      const grid = { scale: 0, zero: 0 };
      searchGrid({ values, from: 0, stride: 1, count: blockSize }, weights, 0, grid);
      const onGrid = Array.from(values, (value) => (Math.min(15, Math.max(0, Math.round(value / grid.scale) + grid.zero)) - grid.zero) * grid.scale);
      const onRange = dequantiseRows(roundTo4Plainly(values, blockSize), blockSize);
      searched += values.reduce((sum, value, i) => sum + weights[i]! * (value - onGrid[i]!) ** 2, 0);
      plain += values.reduce((sum, value, i) => sum + weights[i]! * (value - onRange[i]!) ** 2, 0);
    }
    console.log(`searched grids lose ${(searched / plain).toFixed(2)} of what the range loses`);
    expect(searched).toBeLessThan(0.95 * plain);
  });
});
