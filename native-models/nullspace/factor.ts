// Cholesky factor of a symmetric positive matrix, kept in the form that a solve wants.
// In: G [D,D] and a shift µ. Out: something that applies (G + µI)⁻¹ to a block of columns. Cost: D³/3 flops to make,
// 2·D² a column to apply, nearly all of them in matrix products; D² float64 held.
//
// L is built block row by block row (bordering): with L_k the finished rows, the next ones are L_k⁻¹ G[0:k,k], which is
// the very solve that the factor is for. A block row is stored as [−N_k,0:k , L_kk⁻¹] with N_ik = L_kk⁻¹·L_ik, so that
// forward substitution is "rows k ← block row · rows 0..k". Backward substitution needs the N below each diagonal block,
// transposed; they are stored once more in that form, as a product with a transposed operand runs at half the speed.

import { partOf, product, putColumns, rowsOf, subtract, transposed, type DenseKernels, type Matrix } from "./kernels.ts";
import { ReusedArray } from "./reused-array.ts";
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
  const memory = takeMemory(kernels);
  let isReleased = false;
  const release = (): void => {
    if (!isReleased) spare.set(kernels, memory);
    isReleased = true;
  };
  const panels = panelsIn(memory.panels.take(panelLength(size)), size);
  const { work } = memory;
  for (let from = 0; from < size; from += blockRows) {
    signal?.throwIfAborted();
    const to = Math.min(from + blockRows, size);
    const corner = partOf(gram, from, to, from, to);
    for (let i = 0; i < corner.values.length; i += corner.cols + 1) corner.values[i] = corner.values[i]! + shift;
    // The rows of L to the left of this diagonal block, transposed: [from, rows]. G is symmetric.
    const left = from > 0 ? partOf(gram, 0, from, from, to, matrixIn(memory.left, from, to - from)) : null;
    if (left) {
      await forward(panels.rows, left, kernels, work);
      subtract(corner.values, (await product(kernels, left, left, { transposeA: true })).values);
    }
    const inverse = await inverseCholesky(corner, kernels);
    if (!inverse) {
      release();
      return null;
    }
    const k = from / blockRows;
    transposed(inverse, panels.corners[k]!);
    putColumns(panels.rows[k]!, from, inverse);
    if (!left) continue;
    const row = matrixIn(memory.product, to - from, from); // −N
    await kernels.multiply({ ...inverse, values: inverse.values.map((value) => -value) }, left, row, { transposeB: true });
    for (let j = 0; j < k; j++) transposeInto(row, j * blockRows, panels.columns[j]!, from - (j + 1) * blockRows);
    putColumns(panels.rows[k]!, 0, row);
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
    release,
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

/** What a factor is made and kept in. */
interface FactorMemory {
  panels: ReusedArray;
  left: ReusedArray;
  product: ReusedArray;
  work: ReusedArray;
}

/** Memory of the last factor that was released, for the next one on the same kernels. */
const spare = new WeakMap<DenseKernels, FactorMemory>();

function takeMemory(kernels: DenseKernels): FactorMemory {
  const found = spare.get(kernels);
  spare.delete(kernels);
  return found ?? { panels: new ReusedArray(), left: new ReusedArray(), product: new ReusedArray(), work: new ReusedArray() };
}

function matrixIn(memory: ReusedArray, rows: number, cols: number): Matrix {
  return { rows, cols, values: memory.take(rows * cols) };
}

function panelLength(size: number): number {
  let length = size * size;
  for (let from = 0; from < size; from += blockRows) length += Math.min(blockRows, size - from) ** 2;
  return length;
}

/** The panels of a factor, all in `values` [panelLength(size)], not yet filled. */
function panelsIn(values: Float64Array, size: number): Panels {
  const panels: Panels = { rows: [], columns: [], corners: [] };
  let at = 0;
  const next = (rows: number, cols: number): Matrix => ({ rows, cols, values: values.subarray(at, (at += rows * cols)) });
  for (let from = 0; from < size; from += blockRows) {
    const to = Math.min(from + blockRows, size);
    panels.rows.push(next(to - from, to));
    panels.columns.push(next(to - from, size - to));
    panels.corners.push(next(to - from, to - from));
  }
  return panels;
}

async function forward(panels: readonly Matrix[], block: Matrix, kernels: DenseKernels, work: ReusedArray): Promise<void> {
  for (const panel of panels) {
    if (panel.cols > block.rows) return; // a solve with the leading part only, while the factor is being built
    const rows = matrixIn(work, panel.rows, block.cols);
    await kernels.multiply(panel, rowsOf(block, 0, panel.cols), rows);
    block.values.set(rows.values, (panel.cols - panel.rows) * block.cols);
  }
}

async function backward({ rows, columns, corners }: Panels, block: Matrix, kernels: DenseKernels, work: ReusedArray): Promise<void> {
  const { cols } = block;
  const turned = { ...block, values: block.values.slice() }; // L_kkᵀ · rows k of the result
  for (let k = columns.length - 1; k >= 0; k--) {
    const to = rows[k]!.cols;
    const from = to - rows[k]!.rows;
    const above = rowsOf(turned, from, to);
    if (to < block.rows) {
      const change = matrixIn(work, to - from, cols);
      await kernels.multiply(columns[k]!, rowsOf(turned, to, block.rows), change);
      for (let i = 0; i < above.values.length; i++) above.values[i] = above.values[i]! + change.values[i]!;
    }
    await kernels.multiply(corners[k]!, above, rowsOf(block, from, to));
  }
}
