// Each way of starting an adapter against its formula.

import { describe, expect, test } from "vitest";
import { plainKernels as kernels, product, transposed, type Matrix } from "../../native-models/nullspace/kernels.ts";
import { thinSvd } from "../../native-models/nullspace/thin-svd.ts";
import { lora } from "../../native-models/starts/lora.ts";
import { loraNullV1, loraNullV2 } from "../../native-models/starts/lora-null.ts";
import type { ProjectionStart, ProjectionWeight } from "../../native-models/starts/method.ts";
import { basisOf, gramOf, normalMatrix, projector, relativeError, worstDifference } from "../nullspace/synthetic.ts";

const rank = 6;
const context = { rank, seed: 0, kernels };
const single = 1e-6; // A and B are float32

function projection(weight: Matrix, name = "m"): ProjectionWeight {
  return { name, out: weight.rows, in: weight.cols, read: () => weight };
}

/** Tokens [T, in] with channels of very different size, mixed. */
async function someTokens(size: number, seed: number): Promise<Matrix> {
  const tokens = normalMatrix(4 * size, size, seed);
  for (let i = 0; i < tokens.values.length; i++) tokens.values[i]! *= 10 ** ((i % size) / (size / 4));
  return product(kernels, tokens, normalMatrix(size, size, seed + 1));
}

async function productOf({ a, b }: ProjectionStart, out: number, size: number): Promise<Matrix> {
  return product(kernels, { rows: out, cols: rank, values: Float64Array.from(b) }, { rows: rank, cols: size, values: Float64Array.from(a) });
}

describe.each([["v1", loraNullV1], ["v2", loraNullV2]])("LoRA-Null %s", (_name, method) => {
  test.each([[40, 90], [90, 40], [64, 64]])("on a %d × %d weight: B·A is W seen through the unused directions, W − B·A the rest", async (out, size) => {
    const [weight, tokens] = [normalMatrix(out, size, 1), await someTokens(size, 2)];
    const prepared = await method.prepare({ knowledge: await gramOf(tokens), task: null }, "a layer", context);
    const start = await prepared.start(projection(weight));
    const ba = await productOf(start, out, size);
    const expected = await product(kernels, weight, await projector(basisOf(prepared.basis!)));
    expect(relativeError(ba.values, expected.values)).toBeLessThan(single);
    const residual = weight.values.map((value, i) => value - ba.values[i]!);
    expect(worstDifference(residual.map((value, i) => value + ba.values[i]!), weight.values)).toBeLessThan(1e-14);
    const unseen = await product(kernels, { rows: out, cols: size, values: residual }, basisOf(prepared.basis!));
    expect(Math.max(...unseen.values.map(Math.abs))).toBeLessThan(1e-5); // the residual does nothing in those directions
  });

  test("singular values and output change are those of the full matrices", async () => {
    const [weight, tokens] = [normalMatrix(30, 70, 3), await someTokens(70, 4)];
    const prepared = await method.prepare({ knowledge: await gramOf(tokens), task: null }, "a layer", context);
    const start = await prepared.start(projection(weight));
    const full = await product(kernels, weight, await projector(basisOf(prepared.basis!)));
    const svd = await thinSvd(transposed(full), kernels);
    expect(relativeError(start.singularValues!, svd.singularValues.subarray(0, rank))).toBeLessThan(1e-10);
    const change = (await product(kernels, tokens, full, { transposeB: true })).values.reduce((sum, value) => sum + value ** 2, 0);
    expect(start.outputChange! / change).toBeCloseTo(1, 6);
  });

  test("A and B have the same size: A·Aᵀ = Bᵀ·B = S", async () => {
    const prepared = await method.prepare({ knowledge: await gramOf(await someTokens(50, 5)), task: null }, "a layer", context);
    const start = await prepared.start(projection(normalMatrix(20, 50, 6)));
    const a: Matrix = { rows: rank, cols: 50, values: Float64Array.from(start.a) };
    const b: Matrix = { rows: 20, cols: rank, values: Float64Array.from(start.b) };
    const s = Float64Array.from({ length: rank * rank }, (_, i) => (i % (rank + 1) === 0 ? start.singularValues![i % rank]! : 0));
    expect(worstDifference((await product(kernels, a, a, { transposeB: true })).values, s)).toBeLessThan(1e-5);
    expect(worstDifference((await product(kernels, b, b, { transposeA: true })).values, s)).toBeLessThan(1e-5);
  });

  test("a weight that is zero in those directions starts at zero, without NaN", async () => {
    const prepared = await method.prepare({ knowledge: await gramOf(await someTokens(50, 5)), task: null }, "a layer", context);
    const start = await prepared.start(projection({ rows: 20, cols: 50, values: new Float64Array(1000) }));
    expect([...start.a, ...start.b].every((value) => value === 0)).toBe(true);
  });
});

test("the two versions differ in what trains, not in the start", async () => {
  const [grams, weight] = [{ knowledge: await gramOf(await someTokens(50, 5)), task: null }, normalMatrix(20, 50, 6)];
  const [v1, v2] = [await loraNullV1.prepare(grams, "a layer", context), await loraNullV2.prepare(grams, "a layer", context)];
  expect(await v1.start(projection(weight))).toEqual(await v2.start(projection(weight)));
  expect([loraNullV1.kind, loraNullV2.kind]).toEqual(["both", "b"]);
});

describe("LoRA", () => {
  const draw = async (name: string, seed: number): Promise<ProjectionStart> =>
    (await lora.prepare({ knowledge: null, task: null }, "a layer", { rank: 16, seed, kernels })).start(projection(normalMatrix(30, 400, 1), name));

  test("A is uniform within 1/√in, as PEFT's Kaiming start, and B is zero", async () => {
    const { a, b } = await draw("m", 0);
    const bound = 1 / Math.sqrt(400);
    expect(Math.max(...a.map(Math.abs))).toBeLessThanOrEqual(bound);
    expect(Math.max(...a)).toBeGreaterThan(0.99 * bound);
    const variance = a.reduce((sum, value) => sum + value ** 2, 0) / a.length;
    expect(variance / (bound ** 2 / 3)).toBeCloseTo(1, 1); // 6400 draws: 1 % is one standard deviation
    expect(b.every((value) => value === 0)).toBe(true);
    expect([a.length, b.length]).toEqual([16 * 400, 30 * 16]);
  });

  test("the seed and the module decide, nothing else", async () => {
    expect((await draw("m", 0)).a).toEqual((await draw("m", 0)).a);
    expect((await draw("m", 0)).a).not.toEqual((await draw("m", 1)).a);
    expect((await draw("m", 0)).a).not.toEqual((await draw("n", 0)).a);
  });
});
