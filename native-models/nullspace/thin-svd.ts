// Singular values and vectors of a tall matrix M [out, R], R a few hundred at most.
// MᵀM is decomposed once, M is turned by its eigenvectors, and the small R×R matrix that is left, nearly diagonal, is
// finished by one-sided Jacobi rotations: small singular values keep their digits, which MᵀM alone would lose below
// 1e-8 of the largest. Cost: 4·out·R² flops in products and about 20·R³ in TypeScript.

import { dividedEigen } from "./divided-eigen.ts";
import { matrix, product, type DenseKernels, type Matrix } from "./kernels.ts";

export interface ThinSvd {
  /** Descending. */
  singularValues: Float64Array;
  /** M·V = U·S [out, R]: columns are orthogonal, with the singular values as their lengths. */
  scaled: Matrix;
  /** Vᵀ [R, R]: row i is the right singular vector of singularValues[i]. */
  right: Matrix;
}

/** M = (U·S)·Vᵀ. V is orthogonal to rounding, so the product is M whatever the spectrum. Needs out ≥ 1. */
export async function thinSvd(m: Matrix, kernels: DenseKernels): Promise<ThinSvd> {
  const rank = m.cols;
  const first = await dividedEigen((await product(kernels, m, m, { transposeA: true })).values, rank, kernels);
  let right: Matrix = { rows: rank, cols: rank, values: first.rows };
  let scaled = await product(kernels, m, right, { transposeB: true });
  const inner = await product(kernels, scaled, scaled, { transposeA: true });
  if (worstCosine(inner.values, rank) > 1e-12) {
    const turn = jacobiRotations(inner.values, rank);
    scaled = await product(kernels, scaled, turn, { transposeB: true });
    right = await product(kernels, turn, right);
  }
  return sorted(scaled, right);
}

function worstCosine(inner: Float64Array, n: number): number {
  let worst = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      const scale = Math.sqrt(inner[i * n + i]! * inner[j * n + j]!);
      if (scale > 0) worst = Math.max(worst, Math.abs(inner[i * n + j]!) / scale);
    }
  }
  return worst;
}

/** Rows that diagonalise the nearly diagonal symmetric `a`; each entry is judged against its own row and column. */
function jacobiRotations(a: Float64Array, n: number): Matrix {
  const rows = matrix(n, n);
  for (let i = 0; i < n; i++) rows.values[i * n + i] = 1;
  for (let sweep = 0; sweep < 30; sweep++) {
    let isRotated = false;
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        const app = a[p * n + p]!;
        const aqq = a[q * n + q]!;
        const apq = a[p * n + q]!;
        if (Math.abs(apq) <= 1e-15 * Math.sqrt(Math.max(0, app) * Math.max(0, aqq)) || apq === 0) continue;
        isRotated = true;
        const tau = (aqq - app) / (2 * apq);
        const t = (tau >= 0 ? 1 : -1) / (Math.abs(tau) + Math.sqrt(1 + tau * tau));
        const c = 1 / Math.sqrt(1 + t * t);
        rotate(a, p, q, n, c, t * c);
        rotateRows(rows.values, p * n, q * n, n, c, t * c);
      }
    }
    if (!isRotated) break;
  }
  return rows;
}

function rotate(a: Float64Array, p: number, q: number, n: number, c: number, s: number): void {
  rotateRows(a, p * n, q * n, n, c, s);
  for (let k = 0; k < n; k++) {
    const x = a[k * n + p]!;
    const y = a[k * n + q]!;
    a[k * n + p] = c * x - s * y;
    a[k * n + q] = s * x + c * y;
  }
}

function rotateRows(a: Float64Array, first: number, second: number, n: number, c: number, s: number): void {
  for (let k = 0; k < n; k++) {
    const x = a[first + k]!;
    const y = a[second + k]!;
    a[first + k] = c * x - s * y;
    a[second + k] = s * x + c * y;
  }
}

function sorted(scaled: Matrix, right: Matrix): ThinSvd {
  const { rows: out, cols: rank } = scaled;
  const lengths = columnLengths(scaled);
  const order = Array.from({ length: rank }, (_, i) => i).sort((i, j) => lengths[j]! - lengths[i]! || i - j);
  const sortedScaled = matrix(out, rank);
  const sortedRight = matrix(rank, rank);
  order.forEach((from, to) => {
    sortedRight.values.set(right.values.subarray(from * rank, (from + 1) * rank), to * rank);
    for (let i = 0; i < out; i++) sortedScaled.values[i * rank + to] = scaled.values[i * rank + from]!;
  });
  return { singularValues: Float64Array.from(order, (from) => lengths[from]!), scaled: sortedScaled, right: sortedRight };
}

function columnLengths({ cols, values }: Matrix): Float64Array {
  const lengths = new Float64Array(cols);
  for (let i = 0; i < values.length; i += cols) for (let j = 0; j < cols; j++) lengths[j] = lengths[j]! + values[i + j]! ** 2;
  return lengths.map(Math.sqrt);
}
