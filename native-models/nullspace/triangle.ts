// The inverse Cholesky factor of a small or middling matrix: L⁻¹ where A = L·Lᵀ.
// By halves: with L⁻¹ of the upper left half at hand, the lower left half of L, the rest to be factored and the lower
// left half of L⁻¹ are four products. Only leaves are worked in TypeScript. Cost: 4/3·n³ flops, which is four times what
// a factor alone needs, and worth it for the diagonal blocks of factor.ts: applying L⁻¹ is one product.

import { matrix, partOf, product, subtract, type DenseKernels, type Matrix } from "./kernels.ts";

const leafRows = 72; // measured at n = 128 to 576: 48 to 96 are within 10 %

/** L⁻¹ [n,n] of the symmetric `a` [n,n], or null where a pivot is not positive. Only the lower triangle is read; `a` is overwritten. */
export async function inverseCholesky(a: Matrix, kernels: DenseKernels): Promise<Matrix | null> {
  const n = a.rows;
  if (n <= leafRows) return choleskyInPlace(a.values, n) ? invertLower(a.values, n) : null;
  const half = 8 * Math.ceil(n / 16);
  const first = await inverseCholesky(partOf(a, 0, half, 0, half), kernels);
  if (!first) return null;
  const below = await product(kernels, partOf(a, half, n, 0, half), first, { transposeB: true }); // L21 = A21·L11⁻ᵀ
  const rest = partOf(a, half, n, half, n);
  subtract(rest.values, (await product(kernels, below, below, { transposeB: true })).values);
  const second = await inverseCholesky(rest, kernels);
  if (!second) return null;
  const corner = await product(kernels, second, await product(kernels, below, first)); // −(L⁻¹)21 = L22⁻¹·L21·L11⁻¹
  const out = matrix(n, n);
  for (let i = 0; i < half; i++) out.values.set(first.values.subarray(i * half, (i + 1) * half), i * n);
  for (let i = half; i < n; i++) {
    for (let j = 0; j < half; j++) out.values[i * n + j] = -corner.values[(i - half) * half + j]!;
    out.values.set(second.values.subarray((i - half) * (n - half), (i - half + 1) * (n - half)), i * n + half);
  }
  return out;
}

/** Overwrites the lower triangle of `a` [n,n] by its Cholesky factor; false where a pivot is not positive. */
export function choleskyInPlace(a: Float64Array, n: number): boolean {
  for (let i = 0; i < n; i++) {
    const row = i * n;
    for (let j = 0; j <= i; j++) {
      const other = j * n;
      let sum = a[row + j]!;
      for (let k = 0; k < j; k++) sum -= a[row + k]! * a[other + k]!;
      if (j < i) a[row + j] = sum / a[other + j]!;
      else if (sum > 0 && Number.isFinite(sum)) a[row + i] = Math.sqrt(sum);
      else return false;
    }
  }
  return true;
}

/** Inverse of the lower triangular `l` [n,n], as a lower triangular matrix. */
export function invertLower(l: Float64Array, n: number): Matrix {
  const out = matrix(n, n);
  const inverse = out.values;
  for (let i = 0; i < n; i++) {
    const row = i * n;
    const reciprocal = 1 / l[row + i]!;
    // Row i of the inverse: −(1/l_ii)·Σ_k l_ik · row k, for k < i.
    for (let k = 0; k < i; k++) {
      const weight = -l[row + k]! * reciprocal;
      const above = k * n;
      for (let j = 0; j <= k; j++) inverse[row + j] = inverse[row + j]! + weight * inverse[above + j]!;
    }
    inverse[row + i] = reciprocal;
  }
  return out;
}
