// Cholesky factor of a symmetric positive matrix, kept in the form that a solve wants.
// In: G [D,D] and a shift µ. Out: something that applies (G + µI)⁻¹ to a block of columns. Cost: D³/3 flops to make,
// 2·D² a column to apply, nearly all of them in matrix products; D² float64 held.
//
// L is built block row by block row (bordering): with L_k the finished rows, the next ones are L_k⁻¹ G[0:k,k], which is
// the very solve that the factor is for. A block row is stored as [−N_k,0:k , L_kk⁻¹] with N_ik = L_kk⁻¹·L_ik, so that
// forward substitution is "rows k ← block row · rows 0..k". Backward substitution needs the N below each diagonal block,
// transposed; they are stored once more in that form, as a product with a transposed operand runs at half the speed.

import { matrix, partOf, product, rowsOf, subtract, transposed, type DenseKernels, type Matrix } from "./kernels.ts";
import { inverseCholesky } from "./triangle.ts";

// Wide blocks make fewer and larger products, and spend more on the empty halves of the diagonal blocks. Measured at
// D = 576, 1536 and 4096 (128, 192, 256, 512): a factor with its usual number of solves costs the same within 10 %.
const blockRows = 192;

/** Its three solves share a workspace: one at a time. */
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
  /** Gives back memory that no collector frees; no solve after that. */
  release(): void;
}

/** Factor of G + µI, or null when that is not positive definite to working precision. Release it when done. */
export async function factorize(gram: Matrix, shift: number, kernels: DenseKernels, signal?: AbortSignal): Promise<Factor | null> {
  if (kernels.factorize) return kernels.factorize(gram, shift, signal);
  const size = gram.rows;
  const panels: Panels = { rows: [], columns: [], corners: [] };
  const [work, leftWork, productWork] = [workspace(), workspace(), workspace()];
  for (let from = 0; from < size; from += blockRows) {
    signal?.throwIfAborted();
    const to = Math.min(from + blockRows, size);
    const corner = partOf(gram, from, to, from, to);
    for (let i = 0; i < corner.values.length; i += corner.cols + 1) corner.values[i] = corner.values[i]! + shift;
    // The rows of L to the left of this diagonal block, transposed: [from, rows]. G is symmetric.
    const left = from > 0 ? partOf(gram, 0, from, from, to, leftWork(from, to - from)) : null;
    if (left) {
      await forward(panels.rows, left, kernels, work);
      subtract(corner.values, (await product(kernels, left, left, { transposeA: true })).values);
    }
    const inverse = await inverseCholesky(corner, kernels);
    if (!inverse) return null;
    panels.columns.push(matrix(to - from, size - to));
    panels.corners.push(transposed(inverse));
    if (!left) {
      panels.rows.push(inverse);
      continue;
    }
    const row = productWork(to - from, from); // −N
    await kernels.multiply({ ...inverse, values: inverse.values.map((value) => -value) }, left, row, { transposeB: true });
    for (const [k, column] of panels.columns.slice(0, -1).entries()) transposeInto(row, k * blockRows, column, from - (k + 1) * blockRows);
    panels.rows.push(beside(row, inverse));
  }
  return {
    size,
    shift,
    solveLower: (block) => forward(panels.rows, block, kernels, work),
    solveUpper: (block) => backward(panels, block, kernels, work),
    async solve(block) {
      await forward(panels.rows, block, kernels, work);
      await backward(panels, block, kernels, work);
    },
    release() {},
  };
}

interface Panels {
  /** [−N_k,0:k , L_kk⁻¹] of each block row. */
  rows: Matrix[];
  /** −N_ikᵀ for all i below k, side by side. */
  columns: Matrix[];
  /** L_kk⁻ᵀ. */
  corners: Matrix[];
}

/** Columns of `source` from `fromCol` on, transposed, into all rows of `target`, at column `atCol`. */
function transposeInto(source: Matrix, fromCol: number, target: Matrix, atCol: number): void {
  const tile = 16;
  for (let i0 = 0; i0 < source.rows; i0 += tile) {
    const i1 = Math.min(i0 + tile, source.rows);
    for (let j = 0; j < target.rows; j++) {
      const to = j * target.cols + atCol;
      const from = fromCol + j;
      for (let i = i0; i < i1; i++) target.values[to + i] = source.values[i * source.cols + from]!;
    }
  }
}

/** [left, right], row by row. */
function beside(left: Matrix, right: Matrix): Matrix {
  const out = matrix(right.rows, left.cols + right.cols);
  for (let i = 0; i < out.rows; i++) {
    const row = i * out.cols;
    out.values.set(left.values.subarray(i * left.cols, (i + 1) * left.cols), row);
    out.values.set(right.values.subarray(i * right.cols, (i + 1) * right.cols), row + left.cols);
  }
  return out;
}

type Workspace = (rows: number, cols: number) => Matrix;

/** A matrix to work in, over the same memory each time: what it held before is lost. */
function workspace(): Workspace {
  let memory = new Float64Array(0);
  return (rows, cols) => {
    if (memory.length < rows * cols) memory = new Float64Array(rows * cols);
    return { rows, cols, values: memory.subarray(0, rows * cols) };
  };
}

async function forward(panels: readonly Matrix[], block: Matrix, kernels: DenseKernels, work: Workspace): Promise<void> {
  for (const panel of panels) {
    if (panel.cols > block.rows) return; // a solve with the leading part only, while the factor is being built
    const rows = work(panel.rows, block.cols);
    await kernels.multiply(panel, rowsOf(block, 0, panel.cols), rows);
    block.values.set(rows.values, (panel.cols - panel.rows) * block.cols);
  }
}

async function backward({ rows, columns, corners }: Panels, block: Matrix, kernels: DenseKernels, work: Workspace): Promise<void> {
  const { cols } = block;
  const turned = { ...block, values: Float64Array.from(block.values) }; // L_kkᵀ · rows k of the result
  for (let k = columns.length - 1; k >= 0; k--) {
    const to = rows[k]!.cols;
    const from = to - rows[k]!.rows;
    const above = rowsOf(turned, from, to);
    if (to < block.rows) {
      const change = work(to - from, cols);
      await kernels.multiply(columns[k]!, rowsOf(turned, to, block.rows), change);
      for (let i = 0; i < above.values.length; i++) above.values[i] = above.values[i]! + change.values[i]!;
    }
    await kernels.multiply(corners[k]!, above, rowsOf(block, from, to));
  }
}
