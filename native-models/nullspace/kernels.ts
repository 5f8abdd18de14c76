// The dense float64 arithmetic that the solver leans on, as an interface: nearly all of its work is matrix products.
// The runtime's layer gives a fast implementation (see runtime/); `plainKernels` is the same thing in TypeScript, for
// tests and for a machine without the runtime. Matrices are row-major and contiguous.

import type { Factor } from "./factor.ts";

/** A row-major float64 matrix [rows, cols]. Views share memory: `rowsOf(m, 2, 5)` is three rows of m. */
export interface Matrix {
  rows: number;
  cols: number;
  values: Float64Array;
}

export interface MultiplyOptions {
  /** Use aᵀ in place of a. */
  transposeA?: boolean;
  /** Use bᵀ in place of b. */
  transposeB?: boolean;
}

export interface DenseKernels {
  /** out = op(a)·op(b). `out` must not share memory with a or b. */
  multiply(a: Matrix, b: Matrix, out: Matrix, options?: MultiplyOptions): Promise<void>;
  /** A faster factor of G + µI than one made of products, where there is one; factor.ts asks for it. */
  factorize?(gram: Matrix, shift: number, signal?: AbortSignal): Promise<Factor | null>;
}

export function matrix(rows: number, cols: number): Matrix {
  return { rows, cols, values: new Float64Array(rows * cols) };
}

/** Rows [from, to) of `m`, sharing its memory. */
export function rowsOf(m: Matrix, from: number, to: number): Matrix {
  return { rows: to - from, cols: m.cols, values: m.values.subarray(from * m.cols, to * m.cols) };
}

/** A copy of rows [fromRow, toRow) and columns [fromCol, toCol) of `m`, into `out` where that is given. */
export function partOf(m: Matrix, fromRow: number, toRow: number, fromCol: number, toCol: number, out = matrix(toRow - fromRow, toCol - fromCol)): Matrix {
  for (let i = 0; i < out.rows; i++) {
    const row = (fromRow + i) * m.cols;
    out.values.set(m.values.subarray(row + fromCol, row + toCol), i * out.cols);
  }
  return out;
}

/** The first `cols` columns of `m`, copied. */
export function firstColumns(m: Matrix, cols: number): Matrix {
  return partOf(m, 0, m.rows, 0, cols);
}

/** part → columns from `atCol` on of `target`, which has as many rows. */
export function putColumns(target: Matrix, atCol: number, part: Matrix): void {
  for (let i = 0; i < part.rows; i++) target.values.set(part.values.subarray(i * part.cols, (i + 1) * part.cols), i * target.cols + atCol);
}

/** from ← from − amount. */
export function subtract(from: Float64Array, amount: Float64Array): void {
  for (let i = 0; i < from.length; i++) from[i] = from[i]! - amount[i]!;
}

/** op(a)·op(b) into a new matrix. */
export async function product(kernels: DenseKernels, a: Matrix, b: Matrix, options: MultiplyOptions = {}): Promise<Matrix> {
  const out = matrix(options.transposeA ? a.cols : a.rows, options.transposeB ? b.rows : b.cols);
  await kernels.multiply(a, b, out, options);
  return out;
}

/** mᵀ, into `out` where that is given. */
export function transposed(m: Matrix, out = matrix(m.cols, m.rows)): Matrix {
  const tile = 32; // both sides of a tile stay in the first-level cache
  for (let i0 = 0; i0 < m.rows; i0 += tile) {
    const i1 = Math.min(i0 + tile, m.rows);
    for (let j0 = 0; j0 < m.cols; j0 += tile) {
      const j1 = Math.min(j0 + tile, m.cols);
      for (let i = i0; i < i1; i++) for (let j = j0; j < j1; j++) out.values[j * m.rows + i] = m.values[i * m.cols + j];
    }
  }
  return out;
}

/** The shapes of a product, checked: a wrong call is a bug and says which one. */
export function productShape(a: Matrix, b: Matrix, out: Matrix, options: MultiplyOptions): { m: number; k: number; n: number } {
  const m = options.transposeA ? a.cols : a.rows;
  const k = options.transposeA ? a.rows : a.cols;
  const kOfB = options.transposeB ? b.cols : b.rows;
  const n = options.transposeB ? b.rows : b.cols;
  if (k !== kOfB || out.rows !== m || out.cols !== n) {
    throw new Error(`multiply: [${m},${k}] × [${kOfB},${n}] into [${out.rows},${out.cols}]`);
  }
  return { m, k, n };
}

/** Matrix products in TypeScript: 4×4 tiles in registers over blocks that stay in cache. About 3 GFLOP/s a core. */
export const plainKernels: DenseKernels = {
  async multiply(a, b, out, options = {}) {
    const { m, k, n } = productShape(a, b, out, options);
    // Both operands are read along k, so each is brought to [.., k] order first; that costs m·k + n·k moves, not m·n·k.
    const left = options.transposeA ? transposed(a).values : a.values;
    const right = options.transposeB ? b.values : transposed(b).values;
    multiplyRowsByRows(left, right, out.values, m, k, n);
  },
};

/** out[i,j] = Σ_k left[i,k]·right[j,k]. */
function multiplyRowsByRows(left: Float64Array, right: Float64Array, out: Float64Array, m: number, k: number, n: number): void {
  const block = 64; // 64 rows of `right` and their k values stay in the second-level cache for k up to 1500
  for (let j0 = 0; j0 < n; j0 += block) {
    const j1 = Math.min(j0 + block, n);
    for (let i = 0; i < m; i += 2) {
      if (i + 1 < m) for (let j = j0; j < j1; j += 2) tileOfFour(left, right, out, i, j, Math.min(2, j1 - j), k, n);
      else for (let j = j0; j < j1; j++) out[i * n + j] = dot(left, i * k, right, j * k, k);
    }
  }
}

function tileOfFour(left: Float64Array, right: Float64Array, out: Float64Array, i: number, j: number, width: number, k: number, n: number): void {
  const a0 = i * k;
  const a1 = a0 + k;
  const b0 = j * k;
  const b1 = width === 2 ? b0 + k : b0;
  let s00 = 0, s01 = 0, s10 = 0, s11 = 0;
  for (let t = 0; t < k; t++) {
    const x0 = left[a0 + t]!, x1 = left[a1 + t]!, y0 = right[b0 + t]!, y1 = right[b1 + t]!;
    s00 += x0 * y0;
    s01 += x0 * y1;
    s10 += x1 * y0;
    s11 += x1 * y1;
  }
  out[i * n + j] = s00;
  out[(i + 1) * n + j] = s10;
  if (width === 2) {
    out[i * n + j + 1] = s01;
    out[(i + 1) * n + j + 1] = s11;
  }
}

function dot(a: Float64Array, fromA: number, b: Float64Array, fromB: number, length: number): number {
  let sum = 0;
  for (let t = 0; t < length; t++) sum += a[fromA + t]! * b[fromB + t]!;
  return sum;
}
