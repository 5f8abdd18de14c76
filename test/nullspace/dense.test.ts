// The dense arithmetic under the solver, against definitions.

import { describe, expect, test } from "vitest";
import { seededRandom } from "../../native-models/data/random.ts";
import { dividedEigen } from "../../native-models/nullspace/divided-eigen.ts";
import { factorize } from "../../native-models/nullspace/factor.ts";
import { matrix, plainKernels, product, transposed, type DenseKernels, type Matrix } from "../../native-models/nullspace/kernels.ts";
import { orthonormalColumns } from "../../native-models/nullspace/orthonormal.ts";
import { symmetricEigen } from "../../native-models/nullspace/symmetric-eigen.ts";
import { thinSvd } from "../../native-models/nullspace/thin-svd.ts";
import { choleskyInPlace, invertLower } from "../../native-models/nullspace/triangle.ts";
import { openDenseKernels } from "../../native-models/runtime/dense-kernels.ts";
import { logSpaced, normalMatrix, orthonormalityError, plantedGram, randomRotation, relativeError, worstDifference } from "./synthetic.ts";

function byDefinition(a: Matrix, b: Matrix): Matrix {
  const out = matrix(a.rows, b.cols);
  for (let i = 0; i < a.rows; i++) for (let j = 0; j < b.cols; j++) for (let k = 0; k < a.cols; k++) out.values[i * b.cols + j]! += a.values[i * a.cols + k]! * b.values[k * b.cols + j]!;
  return out;
}

const kernelsToTry: [string, () => Promise<DenseKernels & { release?(): Promise<void> }>][] = [
  ["plain TypeScript", async () => plainKernels],
  ["ONNX Runtime", () => openDenseKernels({ threads: 1 })],
];

describe.each(kernelsToTry)("products by %s", (_name, open) => {
  test.each([[1, 1, 1], [5, 3, 7], [66, 130, 65], [2, 200, 1]])("[%d,%d]·[.,%d] agree with the definition, transposed or not", async (m, k, n) => {
    const kernels = await open();
    const [a, b] = [normalMatrix(m, k, 1), normalMatrix(k, n, 2)];
    const expected = byDefinition(a, b).values;
    for (const transposeA of [false, true]) {
      for (const transposeB of [false, true]) {
        const got = await product(kernels, transposeA ? transposed(a) : a, transposeB ? transposed(b) : b, { transposeA, transposeB });
        expect(worstDifference(got.values, expected)).toBeLessThan(1e-12); // sums of up to 200 terms of order 1
      }
    }
    await kernels.release?.();
  });

  test("a shape that does not fit is named", async () => {
    const kernels = await open();
    await expect(kernels.multiply(matrix(2, 3), matrix(4, 5), matrix(2, 5))).rejects.toThrow("[2,3] × [4,5]");
    await kernels.release?.();
  });

  test("views of a larger buffer are read and written in place", async () => {
    const kernels = await open();
    const buffer = new Float64Array(20).fill(9);
    const view = (from: number): Matrix => ({ rows: 2, cols: 2, values: buffer.subarray(from, from + 4) });
    buffer.set([1, 2, 3, 4], 3);
    buffer.set([5, 6, 7, 8], 9);
    await kernels.multiply(view(3), view(9), view(15));
    expect([...buffer.subarray(14, 20)]).toEqual([9, 19, 22, 43, 50, 9]);
    await kernels.release?.();
  });
});

describe("symmetric eigenvalues", () => {
  test.each([1, 2, 3, 17, 64])("of a %d-wide matrix: A·v = λ·v, orthonormal, ascending", async (n) => {
    const { gram } = await plantedGram(logSpaced(n, 1e-3, 1e3).map((value, i) => (i % 3 === 0 ? -value : value)), n);
    const { values, rows } = symmetricEigen(gram.values, n);
    const vectors: Matrix = { rows: n, cols: n, values: rows };
    const image = (await product(plainKernels, vectors, { rows: n, cols: n, values: gram.values })).values;
    expect(worstDifference(image, rows.map((x, i) => x * values[Math.floor(i / n)]!))).toBeLessThan(1e-11); // 1e3·2^-52·n
    expect(await orthonormalityError(transposed(vectors))).toBeLessThan(1e-12);
    expect([...values]).toEqual([...values].sort((a, b) => a - b));
  });

  test("of zero, diagonal and repeated matrices", () => {
    expect([...symmetricEigen(new Float64Array(9), 3).values]).toEqual([0, 0, 0]);
    expect([...symmetricEigen(Float64Array.of(3, 0, 0, 0, 1, 0, 0, 0, 2), 3).values]).toEqual([1, 2, 3]);
    expect(worstDifference(symmetricEigen(new Float64Array(16).fill(1), 4).values, [0, 0, 0, 4])).toBeLessThan(1e-14);
  });
});

describe("eigenvectors by divide and conquer", () => {
  // What the joining step must get right: values far apart, equal ones, couplings that are nothing or all.
  const shapes: { name: string; entry(i: number, j: number, random: number): number }[] = [
    { name: "random", entry: (_i, _j, random) => random - 0.5 },
    { name: "graded over eight orders", entry: (i, j, random) => (random - 0.5) * 10 ** (-(i + j) / 40) },
    { name: "three values, each many times", entry: (i, j, random) => (i === j ? 1 + (i % 3) : 1e-14 * random) },
    { name: "nearly equal pairs (Wilkinson's, glued)", entry: (i, j) => (i === j ? Math.abs((i % 21) - 10) : i - j === 1 ? (i % 21 === 0 ? 1e-9 : 1) : 0) },
    { name: "diagonal", entry: (i, j) => (i === j ? i % 5 : 0) },
    { name: "zero", entry: () => 0 },
  ];
  test.each(shapes)("$name: A·v = λ·v, orthonormal, the values of QL; a part is that part of the whole", async ({ entry }) => {
    for (const n of [73, 150, 201]) {
      const random = seededRandom(n);
      const a = new Float64Array(n * n);
      for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) a[i * n + j] = a[j * n + i] = entry(i, j, random.float());
      const { values, rows } = await dividedEigen(a, n, plainKernels);
      const expected = symmetricEigen(a, n).values;
      const norm = Math.max(1e-300, Math.abs(expected[0]!), Math.abs(expected[n - 1]!));
      const tolerance = 4 * Number.EPSILON * n; // LAPACK's bounds grow with n
      expect(worstDifference(values, expected) / norm).toBeLessThan(tolerance);
      expect(await orthonormalityError(transposed({ rows: n, cols: n, values: rows }))).toBeLessThan(tolerance);
      const image = (await product(plainKernels, { rows: n, cols: n, values: rows }, { rows: n, cols: n, values: a })).values;
      expect(worstDifference(image, rows.map((x, i) => x * values[Math.floor(i / n)]!)) / norm).toBeLessThan(tolerance);
      const part = await dividedEigen(a, n, plainKernels, n - 20, n);
      expect(part.values).toEqual(values);
      expect(worstDifference(part.rows, rows.subarray((n - 20) * n))).toBeLessThan(tolerance);
    }
  });
});

describe("Cholesky", () => {
  test.each([1, 100, 128, 300])("of a %d-wide matrix solves G·x = b over blocks", async (size) => {
    const { gram } = await plantedGram(logSpaced(size, 0.01, 100), 5);
    const g: Matrix = { rows: size, cols: size, values: gram.values };
    const x = normalMatrix(size, 7, 3);
    const b = await product(plainKernels, g, x);
    for (let i = 0; i < size; i++) for (let j = 0; j < 7; j++) b.values[i * 7 + j]! += 0.5 * x.values[i * 7 + j]!;
    const factor = (await factorize(g, 0.5, plainKernels))!;
    await factor.solve(b);
    expect(relativeError(b.values, x.values)).toBeLessThan(1e-11); // condition 200
  });

  test("L⁻¹ and L⁻ᵀ apply one after the other", async () => {
    const { gram } = await plantedGram(logSpaced(150, 1, 10), 5);
    const factor = (await factorize({ rows: 150, cols: 150, values: gram.values }, 0, plainKernels))!;
    const [once, twice] = [normalMatrix(150, 3, 1), normalMatrix(150, 3, 1)];
    await factor.solve(once);
    await factor.solveLower(twice);
    await factor.solveUpper(twice);
    expect(twice.values).toEqual(once.values);
  });

  test("an indefinite matrix has no factor", async () => {
    const { gram } = await plantedGram([-1, ...logSpaced(149, 1, 10)], 5);
    expect(await factorize({ rows: 150, cols: 150, values: gram.values }, 0, plainKernels)).toBeNull();
    expect(choleskyInPlace(Float64Array.of(1, 0, 0, NaN), 2)).toBe(false);
  });

  test("a triangle times its inverse is one", async () => {
    const l = Float64Array.of(2, 0, 0, 3, 4, 0, 5, 6, 7);
    const inverse = invertLower(l, 3);
    expect(worstDifference((await product(plainKernels, { rows: 3, cols: 3, values: l }, inverse)).values, [1, 0, 0, 0, 1, 0, 0, 0, 1])).toBeLessThan(1e-15);
  });
});

describe("orthonormal columns", () => {
  test("span what the given ones span, however different their lengths", async () => {
    const block = normalMatrix(90, 6, 3);
    for (let i = 0; i < block.values.length; i++) block.values[i]! *= 10 ** (3 * (i % 6) - 8);
    const q = await orthonormalColumns(block, plainKernels, 0);
    expect(await orthonormalityError(q)).toBeLessThan(1e-14);
    const within = await product(plainKernels, q, await product(plainKernels, q, block, { transposeA: true }));
    for (let j = 0; j < 6; j++) {
      const column = (m: Matrix): number[] => Array.from({ length: 90 }, (_, i) => m.values[i * 6 + j]!);
      expect(relativeError(column(within), column(block))).toBeLessThan(1e-12);
    }
  });

  test("dependent, zero and infinite columns are replaced by fresh directions", async () => {
    const block = normalMatrix(40, 5, 3);
    for (let i = 0; i < 40; i++) {
      block.values[i * 5 + 1] = 2 * block.values[i * 5]!;
      block.values[i * 5 + 2] = 0;
      block.values[i * 5 + 3] = Infinity;
    }
    expect(await orthonormalityError(await orthonormalColumns(block, plainKernels, 0))).toBeLessThan(1e-14);
  });
});

describe("thin SVD", () => {
  const cases: { name: string; singularValues: number[]; tolerance: number }[] = [
    { name: "a usual spectrum", singularValues: logSpaced(20, 0.01, 30).reverse(), tolerance: 1e-12 },
    { name: "ten orders of magnitude", singularValues: logSpaced(20, 1e-9, 10).reverse(), tolerance: 1e-5 }, // 1e-9 of a matrix rounded at 1e-15
    { name: "equal values", singularValues: Array<number>(12).fill(3), tolerance: 1e-12 },
    { name: "missing directions", singularValues: [5, 2, 1, 0, 0], tolerance: 1e-12 },
    { name: "nothing", singularValues: [0, 0, 0], tolerance: 1e-12 },
  ];
  test.each(cases)("of $name: values, orthogonal factors, and the product is the matrix", async ({ singularValues, tolerance }) => {
    const rank = singularValues.length;
    const left = await orthonormalColumns(normalMatrix(150, rank, 1), plainKernels, 1);
    for (let i = 0; i < left.values.length; i++) left.values[i]! *= singularValues[i % rank]!;
    const m = await product(plainKernels, left, await randomRotation(rank, 2));
    const svd = await thinSvd(m, plainKernels);
    const largest = singularValues[0]!;
    singularValues.forEach((value, i) => expect(Math.abs(svd.singularValues[i]! - value)).toBeLessThanOrEqual(tolerance * value + 1e-15 * largest));
    expect(await orthonormalityError(svd.right)).toBeLessThan(1e-13);
    expect(worstDifference((await product(plainKernels, svd.scaled, svd.right)).values, m.values)).toBeLessThanOrEqual(1e-14 * largest);
    const inner = (await product(plainKernels, svd.scaled, svd.scaled, { transposeA: true })).values;
    for (let i = 0; i < rank; i++) {
      for (let j = 0; j < i; j++) expect(Math.abs(inner[i * rank + j]!)).toBeLessThanOrEqual(1e-10 * svd.singularValues[i]! * svd.singularValues[j]! + 1e-30 * largest ** 2);
    }
  });
});
