// Cholesky factor of a symmetric positive matrix, kept in the form that a solve wants.
// In: G [D,D] and a shift µ. Out: something that applies (G + µI)⁻¹ to a block of columns. Cost: D³/3 flops to make,
// 2·D² a column to apply, nearly all of them in matrix products; D²/2 float64 held.
//
// L is built block row by block row (bordering): with L_k the finished rows, the next ones are L_k⁻¹ G[0:k,k], which is
// the very solve that the factor is for. A block row is stored as M_k = [−L_kk⁻¹·L_k,0:k , L_kk⁻¹], so that forward
// substitution is "rows k ← M_k · rows 0..k", one product on contiguous memory, and backward substitution its transpose.

import { matrix, product, rowsOf, transposed, type DenseKernels, type Matrix } from "./kernels.ts";

const blockRows = 128; // measured at D = 576 to 4096: 96 to 192 are within 10 %; wider blocks leave more to scalar code

export interface Factor {
  size: number;
  /** µ of (G + µI). */
  shift: number;
  /** block ← (G + µI)⁻¹ · block, in place. */
  solve(block: Matrix): Promise<void>;
  /** block ← L⁻¹ · block, in place, where G + µI = L·Lᵀ. */
  solveLower(block: Matrix): Promise<void>;
  /** block ← L⁻ᵀ · block, in place. */
  solveUpper(block: Matrix): Promise<void>;
}

/** Factor of G + µI, or null when that is not positive definite to working precision. */
export async function factorize(gram: Matrix, shift: number, kernels: DenseKernels, signal?: AbortSignal): Promise<Factor | null> {
  const size = gram.rows;
  const panels: Matrix[] = [];
  for (let from = 0; from < size; from += blockRows) {
    signal?.throwIfAborted();
    const to = Math.min(from + blockRows, size);
    const rows = to - from;
    // The rows of L to the left of this diagonal block, transposed: [from, rows].
    const left = from > 0 ? transposed(leftOf(gram, from, to)) : null;
    if (left) await forward(panels, left, kernels);
    const corner = cornerOf(gram, from, to, shift);
    if (left) subtract(corner, (await product(kernels, left, left, { transposeA: true })).values);
    if (!choleskyInPlace(corner, rows)) return null;
    const inverse = invertLower(corner, rows);
    const panel = matrix(rows, to);
    if (left) {
      const inner = await product(kernels, inverse, left, { transposeB: true });
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < from; j++) panel.values[i * to + j] = -inner.values[i * from + j]!;
      }
    }
    for (let i = 0; i < rows; i++) panel.values.set(inverse.values.subarray(i * rows, (i + 1) * rows), i * to + from);
    panels.push(panel);
  }
  return {
    size,
    shift,
    solveLower: (block) => forward(panels, block, kernels),
    solveUpper: (block) => backward(panels, block, kernels),
    async solve(block) {
      await forward(panels, block, kernels);
      await backward(panels, block, kernels);
    },
  };
}

async function forward(panels: readonly Matrix[], block: Matrix, kernels: DenseKernels): Promise<void> {
  for (const panel of panels) {
    if (panel.cols > block.rows) return; // a solve with the leading part only, while the factor is being built
    const rows = await product(kernels, panel, rowsOf(block, 0, panel.cols));
    block.values.set(rows.values, (panel.cols - panel.rows) * block.cols);
  }
}

async function backward(panels: readonly Matrix[], block: Matrix, kernels: DenseKernels): Promise<void> {
  for (let k = panels.length - 1; k >= 0; k--) {
    const panel = panels[k]!;
    const from = panel.cols - panel.rows;
    const spread = await product(kernels, panel, rowsOf(block, from, panel.cols), { transposeA: true });
    const split = from * block.cols;
    for (let i = 0; i < split; i++) block.values[i] = block.values[i]! + spread.values[i]!;
    block.values.set(spread.values.subarray(split), split);
  }
}

function leftOf(gram: Matrix, from: number, to: number): Matrix {
  const out = matrix(to - from, from);
  for (let i = from; i < to; i++) out.values.set(gram.values.subarray(i * gram.cols, i * gram.cols + from), (i - from) * from);
  return out;
}

function cornerOf(gram: Matrix, from: number, to: number, shift: number): Float64Array {
  const rows = to - from;
  const out = new Float64Array(rows * rows);
  for (let i = 0; i < rows; i++) {
    const start = (from + i) * gram.cols + from;
    out.set(gram.values.subarray(start, start + rows), i * rows);
    out[i * rows + i] = out[i * rows + i]! + shift;
  }
  return out;
}

function subtract(from: Float64Array, amount: Float64Array): void {
  for (let i = 0; i < from.length; i++) from[i] = from[i]! - amount[i]!;
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
