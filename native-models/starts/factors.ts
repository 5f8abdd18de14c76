// From a decomposition to A and B: B = U·√S and A = √S·Vᵀ, so that both factors have the same size.

import { product, transposed, type DenseKernels, type Matrix } from "../nullspace/kernels.ts";
import { thinSvd } from "../nullspace/thin-svd.ts";
import type { NullBasis } from "../nullspace/types.ts";
import type { ProjectionStart } from "./method.ts";

/**
 * Factors of U·S·Vᵀ from U·S [out,R], the singular values and Vᵀ [R,in]. A direction with S = 0 gets zeros on both
 * sides, as its product is zero.
 */
export function balancedFactors(scaled: Matrix, singularValues: Float64Array, right: Matrix): ProjectionStart {
  const rank = scaled.cols;
  const roots = singularValues.map(Math.sqrt);
  const b = new Float32Array(scaled.values.length);
  for (let i = 0; i < b.length; i++) {
    const root = roots[i % rank]!;
    b[i] = root > 0 ? scaled.values[i]! / root : 0;
  }
  const a = new Float32Array(right.values.length);
  for (let i = 0; i < rank; i++) for (let j = 0; j < right.cols; j++) a[i * right.cols + j] = roots[i]! * right.values[i * right.cols + j]!;
  return { rank, a, b, singularValues, outputChange: null };
}

/**
 * W seen through the directions Un [in,R] alone: the thin SVD U·S·Zᵀ of W·Un gives V = Un·Z, the same factors as the SVD
 * of the [out,in] matrix W·Un·Unᵀ cut at R, at a fraction of its cost.
 */
export async function splitByBasis(weight: Matrix, basis: Matrix, kernels: DenseKernels): Promise<ProjectionStart & { seen: Matrix }> {
  const seen = await product(kernels, weight, basis);
  const { singularValues, scaled, right } = await thinSvd(seen, kernels);
  return { ...balancedFactors(scaled, singularValues, await product(kernels, right, basis, { transposeB: true })), seen };
}

/** ‖W·Un·Unᵀ·X‖² = tr(M·(Unᵀ G Un)·Mᵀ) with M = W·Un; Unᵀ G Un is diagonal because the basis is one of Ritz vectors. */
export function outputChangeOf(seen: Matrix, ritzValues: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < seen.values.length; i++) sum += seen.values[i]! ** 2 * ritzValues[i % seen.cols]!;
  return sum;
}

export function basisMatrix({ size, rank, basis }: NullBasis): Matrix {
  return { rows: size, cols: rank, values: basis };
}

/** The part of a decomposition of W that `columns` [out or in, R] spans, by the side they lie on. */
export async function splitBySide(weight: Matrix, columns: Matrix, side: "left" | "right", kernels: DenseKernels): Promise<ProjectionStart> {
  if (side === "right") return splitByBasis(weight, columns, kernels);
  // U given: Uᵀ·W = (S·Vᵀ turned); its thin SVD is taken from the transpose.
  const seen = await product(kernels, weight, columns, { transposeA: true }); // [in,R]
  const { singularValues, scaled, right } = await thinSvd(seen, kernels);
  // Wᵀ·U = V·S·Zᵀ, so the left singular vectors are U·Z and B·A = (U·Z)·S·Vᵀ.
  const left = await product(kernels, columns, right, { transposeB: true }); // [out,R]
  return transposedStart(balancedFactors(scaled, singularValues, transposed(left)));
}

/** The start of Wᵀ as a start of W: A and B change places. */
function transposedStart(start: ProjectionStart): ProjectionStart {
  const { rank } = start;
  const a = new Float32Array(start.b.length);
  const size = start.b.length / rank;
  for (let i = 0; i < size; i++) for (let r = 0; r < rank; r++) a[r * size + i] = start.b[i * rank + r]!;
  const out = start.a.length / rank;
  const b = new Float32Array(start.a.length);
  for (let r = 0; r < rank; r++) for (let i = 0; i < out; i++) b[i * rank + r] = start.a[r * out + i]!;
  return { ...start, a, b };
}
