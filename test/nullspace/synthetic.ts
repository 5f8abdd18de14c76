// Gram matrices with known answers: planted eigenvalues in a random basis, or Σ x xᵀ of given tokens.

import { seededRandom } from "../../native-models/data/random.ts";
import { matrix, plainKernels, product, type Matrix } from "../../native-models/nullspace/kernels.ts";
import { orthonormalColumns } from "../../native-models/nullspace/orthonormal.ts";
import { fillNormal } from "../../native-models/nullspace/random.ts";
import type { Gram, NullBasis } from "../../native-models/nullspace/types.ts";

export function normalMatrix(rows: number, cols: number, seed: number): Matrix {
  const m = matrix(rows, cols);
  fillNormal(m.values, seededRandom(seed));
  return m;
}

/** A random orthogonal matrix [size, size]. */
export function randomRotation(size: number, seed: number): Promise<Matrix> {
  return orthonormalColumns(normalMatrix(size, size, seed), plainKernels, seed);
}

/** Q·diag(eigenvalues)·Qᵀ; column i of Q belongs to eigenvalues[i]. */
export async function plantedGram(eigenvalues: readonly number[], seed: number): Promise<{ gram: Gram; vectors: Matrix }> {
  const size = eigenvalues.length;
  const vectors = await randomRotation(size, seed);
  const scaled = matrix(size, size);
  for (let i = 0; i < size * size; i++) scaled.values[i] = vectors.values[i]! * eigenvalues[i % size]!;
  const values = (await product(plainKernels, scaled, vectors, { transposeB: true })).values;
  for (let i = 0; i < size; i++) for (let j = 0; j < i; j++) values[j * size + i] = values[i * size + j]!;
  return { gram: { size, values, centre: { sum: new Float64Array(size), count: 1 } }, vectors };
}

/** Σ x xᵀ over the rows of `tokens` [T, D], with Σ x. */
export async function gramOf(tokens: Matrix): Promise<Gram> {
  const sum = new Float64Array(tokens.cols);
  tokens.values.forEach((value, i) => (sum[i % tokens.cols] = sum[i % tokens.cols]! + value));
  return { size: tokens.cols, values: (await product(plainKernels, tokens, tokens, { transposeA: true })).values, centre: { sum, count: tokens.rows } };
}

export function basisOf({ size, rank, basis }: NullBasis): Matrix {
  return { rows: size, cols: rank, values: basis };
}

/** ‖UᵀU − I‖, largest entry. */
export async function orthonormalityError(u: Matrix): Promise<number> {
  const inner = await product(plainKernels, u, u, { transposeA: true });
  return inner.values.reduce((worst, value, i) => Math.max(worst, Math.abs(value - (i % (u.cols + 1) === 0 ? 1 : 0))), 0);
}

export function projector(u: Matrix): Promise<Matrix> {
  return product(plainKernels, u, u, { transposeB: true });
}

export function worstDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let worst = a.length === b.length ? 0 : Infinity;
  for (let i = 0; i < a.length; i++) worst = Math.max(worst, Math.abs(a[i]! - b[i]!));
  return worst;
}

/** ‖a − b‖ / ‖b‖ over all entries. */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let [difference, scale] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    difference += (a[i]! - b[i]!) ** 2;
    scale += b[i]! ** 2;
  }
  return Math.sqrt(difference / scale);
}

/** `count` numbers from `least` to `most`, evenly spaced in the exponent. */
export function logSpaced(count: number, least: number, most: number): number[] {
  return Array.from({ length: count }, (_, i) => least * (most / least) ** (count === 1 ? 0 : i / (count - 1)));
}

