// Orthonormal columns for the same span.
// Two rounds of Cholesky QR on scaled columns: all the work is matrix products, and columns of very different length
// cost no precision. Where the columns are too nearly dependent for that, Gram–Schmidt with a second pass takes over and
// puts a fresh seeded direction in the place of every column that has nothing new to add.

import { seededRandom } from "../data/random.ts";
import { product, transposed, type DenseKernels, type Matrix } from "./kernels.ts";
import { fillNormal } from "./random.ts";
import { inverseCholesky } from "./triangle.ts";

/** Columns of `block` [D,P] made orthonormal (to about 1e-15·√D). Needs P ≤ D. Returns a new matrix. */
export async function orthonormalColumns(block: Matrix, kernels: DenseKernels, seed: number): Promise<Matrix> {
  const once = await choleskyRound(block, kernels, 1e-12);
  // After one good round the columns are orthonormal to 1e-4 or better, and the second brings rounding level.
  const twice = once && (await choleskyRound(once, kernels, 0.5));
  return twice ?? gramSchmidt(block, seed);
}

/** One round, or null when the scaled columns have a pivot below `leastPivot`. */
async function choleskyRound(block: Matrix, kernels: DenseKernels, leastPivot: number): Promise<Matrix | null> {
  const size = block.cols;
  const gram = await product(kernels, block, block, { transposeA: true });
  const inner = gram.values;
  const scale = new Float64Array(size);
  for (let i = 0; i < size; i++) {
    const length2 = inner[i * size + i]!;
    if (!(length2 > 0) || !Number.isFinite(length2)) return null;
    scale[i] = 1 / Math.sqrt(length2);
  }
  for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) inner[i * size + j] = inner[i * size + j]! * scale[i]! * scale[j]!;
  const inverse = await inverseCholesky(gram, kernels); // block·diag(scale)·L⁻ᵀ has orthonormal columns
  if (!inverse) return null;
  for (let i = 0; i < size; i++) if (inverse.values[i * size + i]! ** 2 * leastPivot > 1) return null;
  for (let i = 0; i < size; i++) for (let j = 0; j <= i; j++) inverse.values[i * size + j] = inverse.values[i * size + j]! * scale[j]!;
  return product(kernels, block, inverse, { transposeB: true });
}

function gramSchmidt(block: Matrix, seed: number): Matrix {
  const { rows: size, cols: count } = block;
  const columns = transposed(block);
  const random = seededRandom(seed, 1);
  for (let j = 0; j < count; j++) {
    const column = columns.values.subarray(j * size, (j + 1) * size);
    normalize(column);
    for (let tries = 0; ; tries++) {
      removeEarlier(columns.values, j, size, column);
      const kept = normalize(column);
      removeEarlier(columns.values, j, size, column);
      normalize(column);
      if (kept > 1e-10) break; // less is rounding: the column lay in the span of those before it
      if (tries === 20) throw new Error(`orthonormalColumns: no direction left for column ${j} of ${count} in ${size}`);
      fillNormal(column, random);
      normalize(column);
    }
  }
  return transposed(columns);
}

function removeEarlier(columns: Float64Array, count: number, size: number, column: Float64Array): void {
  for (let i = 0; i < count; i++) {
    const base = i * size;
    let sum = 0;
    for (let k = 0; k < size; k++) sum += columns[base + k]! * column[k]!;
    for (let k = 0; k < size; k++) column[k] = column[k]! - sum * columns[base + k]!;
  }
}

/** Scales to length 1 and returns the length it had; a column of zeros (or not finite) stays zero. */
function normalize(column: Float64Array): number {
  let largest = 0;
  for (const value of column) largest = Math.max(largest, Math.abs(value));
  if (!(largest > 0) || !Number.isFinite(largest)) {
    column.fill(0);
    return 0;
  }
  let sum = 0;
  for (const value of column) sum += (value / largest) ** 2;
  const length = largest * Math.sqrt(sum);
  for (let k = 0; k < column.length; k++) column[k] = column[k]! / length;
  return length;
}
