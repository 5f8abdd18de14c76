// The methods that LoRA-Null is compared with, against their formulas on full decompositions (small matrices, so that
// the whole SVD is at hand). Products are compared: signs and rotations of factors are free.

import { describe, expect, test } from "vitest";
import { firstColumns, matrix, plainKernels as kernels, product, transposed, type Matrix } from "../../native-models/nullspace/kernels.ts";
import { symmetricEigen } from "../../native-models/nullspace/symmetric-eigen.ts";
import { thinSvd } from "../../native-models/nullspace/thin-svd.ts";
import { cordaKnowledge, cordaTask } from "../../native-models/starts/corda.ts";
import { eva } from "../../native-models/starts/eva.ts";
import type { InputGrams, ProjectionStart, StartMethod } from "../../native-models/starts/method.ts";
import { milora } from "../../native-models/starts/milora.ts";
import { olora } from "../../native-models/starts/olora.ts";
import { pissa } from "../../native-models/starts/pissa.ts";
import { taskAwareBasis, taskNull } from "../../native-models/starts/task-null.ts";
import { basisOf, gramOf, logSpaced, normalMatrix, orthonormalityError, plantedGram, projector, relativeError, worstDifference } from "../nullspace/synthetic.ts";

const rank = 5;
const context = { rank, seed: 0, kernels };
const shapes: [number, number][] = [[90, 60], [60, 90], [120, 120]];
const noGrams: InputGrams = { knowledge: null, task: null };

async function startOf(method: StartMethod, grams: InputGrams, weight: Matrix): Promise<ProjectionStart> {
  return (await method.prepare(grams, "a layer", context)).start({ name: "m", out: weight.rows, in: weight.cols, read: () => weight });
}

async function productOf({ a, b }: ProjectionStart): Promise<Float64Array> {
  const left: Matrix = { rows: b.length / rank, cols: rank, values: Float64Array.from(b) };
  return (await product(kernels, left, { rows: rank, cols: a.length / rank, values: Float64Array.from(a) })).values;
}

/** U·S·Vᵀ over the singular values `from`..`from+rank−1`, counted from the largest. */
async function partOf(m: Matrix, from: number): Promise<Matrix> {
  if (m.rows < m.cols) return transposed(await partOf(transposed(m), from));
  const { scaled, right } = await thinSvd(m, kernels);
  const [columns, rows] = [matrix(m.rows, rank), matrix(rank, m.cols)];
  for (let i = 0; i < m.rows; i++) for (let r = 0; r < rank; r++) columns.values[i * rank + r] = scaled.values[i * m.cols + from + r]!;
  rows.values.set(right.values.subarray(from * m.cols, (from + rank) * m.cols));
  return product(kernels, columns, rows);
}

/** ‖A·Aᵀ − Bᵀ·B‖ relative to its size: both factors carry √S. */
async function imbalance({ a, b }: ProjectionStart): Promise<number> {
  const [wide, tall]: Matrix[] = [{ rows: rank, cols: a.length / rank, values: Float64Array.from(a) }, { rows: b.length / rank, cols: rank, values: Float64Array.from(b) }];
  return relativeError((await product(kernels, wide!, wide!, { transposeB: true })).values, (await product(kernels, tall!, tall!, { transposeA: true })).values);
}

describe.each(shapes)("on a %d × %d weight", (out, size) => {
  const weight = normalMatrix(out, size, 1);
  const smallest = Math.min(out, size) - rank;

  test("PiSSA takes the largest singular values", async () => {
    const start = await startOf(pissa, noGrams, weight);
    expect(relativeError(await productOf(start), (await partOf(weight, 0)).values)).toBeLessThan(1e-6); // A and B are float32
    expect(await imbalance(start)).toBeLessThan(1e-5);
  });

  test("MiLoRA takes the smallest", async () => {
    const start = await startOf(milora, noGrams, weight);
    expect(relativeError(await productOf(start), (await partOf(weight, smallest)).values)).toBeLessThan(1e-6);
    expect(await imbalance(start)).toBeLessThan(1e-5);
  });

  test("OLoRA takes the first columns of Q and the first rows of R", async () => {
    const start = await startOf(olora, noGrams, weight);
    const b: Matrix = { rows: out, cols: rank, values: Float64Array.from(start.b) };
    expect(await orthonormalityError(b)).toBeLessThan(1e-6);
    // W's first columns lie in the span, and R is upper triangular there.
    const ba = await productOf(start);
    for (let i = 0; i < out; i++) for (let j = 0; j < rank; j++) expect(Math.abs(ba[i * size + j]! - weight.values[i * size + j]!)).toBeLessThan(1e-5);
    for (let i = 0; i < rank; i++) for (let j = 0; j < i; j++) expect(Math.abs(start.a[i * size + j]!)).toBeLessThan(1e-5);
    expect(relativeError(ba, (await product(kernels, await projector(b), weight)).values)).toBeLessThan(1e-6);
  });

  test.each([["knowledge-preserved", cordaKnowledge, smallest], ["instruction-previewed", cordaTask, 0]] as const)("CorDA, %s, decomposes W·C and takes C back out", async (_name, method, from) => {
    const { gram } = await plantedGram(logSpaced(size, 0.1, 40), 7);
    const start = await startOf(method, { knowledge: gram, task: gram }, weight);
    const mean = gram.values.reduce((sum, value, i) => sum + (i % (size + 1) === 0 ? value : 0), 0) / size;
    const damped: Matrix = { rows: size, cols: size, values: gram.values.map((value, i) => value / mean + (i % (size + 1) === 0 ? 0.01 : 0)) };
    const eigen = symmetricEigen(damped.values, size);
    const scaledRows: Matrix = { rows: size, cols: size, values: eigen.rows.map((value, i) => value / eigen.values[Math.floor(i / size)]!) };
    const inverse = await product(kernels, scaledRows, { rows: size, cols: size, values: eigen.rows }, { transposeA: true });
    const expected = await product(kernels, await partOf(await product(kernels, weight, damped), from), inverse);
    expect(relativeError(await productOf(start), expected.values)).toBeLessThan(1e-6);
  });
});

test("EVA starts from the busiest directions of the task and from zero", async () => {
  const { gram, vectors } = await plantedGram(logSpaced(100, 1, 1e4), 3); // ascending: the last columns are the busiest
  const start = await startOf(eva, { knowledge: null, task: gram }, normalMatrix(20, 100, 1));
  for (let r = 0; r < rank; r++) {
    let cosine = 0;
    for (let i = 0; i < 100; i++) cosine += start.a[r * 100 + i]! * vectors.values[i * 100 + 99 - r]!;
    expect(Math.abs(cosine)).toBeCloseTo(1, 5);
  }
  expect(start.b.every((value) => value === 0)).toBe(true);
});

test("EVA takes the mean off: a constant added to every input changes nothing, as in PEFT's incremental PCA", async () => {
  const tokens = normalMatrix(200, 60, 4);
  const shifted: Matrix = { ...tokens, values: tokens.values.map((value, i) => value + 5 * Math.cos(i % 60)) };
  const spaces = await Promise.all([tokens, shifted].map(async (each) => {
    const { a } = await startOf(eva, { knowledge: null, task: await gramOf(each) }, normalMatrix(20, 60, 1));
    return projector(transposed({ rows: rank, cols: 60, values: Float64Array.from(a) }));
  }));
  expect(worstDifference(spaces[0]!.values, spaces[1]!.values)).toBeLessThan(1e-6);
});

describe("the task-aware null space", () => {
  const mu = async (values: readonly number[]): Promise<number> => (1e-3 * values.reduce((a, b) => a + b, 0)) / values.length;

  test("finds the directions with the largest planted ratio of task to knowledge", async () => {
    // K and T share their eigenvectors, so the generalised values are t/(k + µ).
    const k = logSpaced(110, 0.01, 1e4);
    const t = k.map((_, i) => 1 + ((i * 37) % 11));
    const { gram: knowledge, vectors } = await plantedGram(k, 9);
    const scaled = matrix(110, 110);
    for (let i = 0; i < 110 * 110; i++) scaled.values[i] = vectors.values[i]! * t[i % 110]!;
    const task = { size: 110, values: (await product(kernels, scaled, vectors, { transposeB: true })).values };
    const shift = await mu(k);
    const best = k.map((value, i) => ({ i, ratio: t[i]! / (value + shift) })).sort((a, b) => b.ratio - a.ratio).slice(0, rank);
    const planted = matrix(110, rank);
    best.forEach(({ i }, r) => { for (let row = 0; row < 110; row++) planted.values[row * rank + r] = vectors.values[row * 110 + i]!; });
    const found = await taskAwareBasis(knowledge, task, context);
    expect(await orthonormalityError(basisOf(found))).toBeLessThan(1e-10);
    expect(worstDifference((await projector(basisOf(found))).values, (await projector(planted)).values)).toBeLessThan(1e-3);
    expect(found.energy / best.reduce((sum, { i }) => sum + k[i]!, 0)).toBeCloseTo(1, 3);
  });

  test("a task that uses everything alike gives LoRA-Null's directions", async () => {
    const k = [...logSpaced(5, 1, 3), ...logSpaced(95, 30, 1e5)];
    const { gram: knowledge, vectors } = await plantedGram(k, 2);
    const identity = { size: 100, values: Float64Array.from({ length: 1e4 }, (_, i) => (i % 101 === 0 ? 1 : 0)) };
    const found = await taskAwareBasis(knowledge, identity, context);
    expect(worstDifference((await projector(basisOf(found))).values, (await projector(firstColumns(vectors, rank))).values)).toBeLessThan(1e-3);
  });

  test("starts like LoRA-Null: B·A is W seen through its directions", async () => {
    const [knowledge, task] = [await gramOf(normalMatrix(300, 80, 1)), await gramOf(normalMatrix(200, 80, 2))];
    const weight = normalMatrix(30, 80, 3);
    const prepared = await taskNull.prepare({ knowledge, task }, "a layer", context);
    const start = await prepared.start({ name: "m", out: 30, in: 80, read: () => weight });
    expect(relativeError(await productOf(start), (await product(kernels, weight, await projector(basisOf(prepared.basis!)))).values)).toBeLessThan(1e-6);
  });
});

test("a task of fewer tokens than the rank fills up with free directions", async () => {
  const [knowledge, task] = [await gramOf(normalMatrix(300, 90, 1)), await gramOf(normalMatrix(3, 90, 2))];
  const found = await taskAwareBasis(knowledge, task, context);
  expect(await orthonormalityError(basisOf(found))).toBeLessThan(1e-10);
  expect(found.iterations).toBeLessThan(60);
  expect((await startOf(eva, { knowledge: null, task }, normalMatrix(20, 90, 3))).a.every(Number.isFinite)).toBe(true);
});

test("a zero Gram is survived by every method that reads one", async () => {
  const zero = await gramOf(matrix(100, 60));
  for (const method of [cordaKnowledge, cordaTask, eva, taskNull]) {
    const start = await startOf(method, { knowledge: zero, task: zero }, normalMatrix(20, 60, 1));
    expect([...start.a, ...start.b].every(Number.isFinite), method.title).toBe(true);
  }
});
