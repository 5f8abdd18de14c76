// The directions that hold the most of a symmetric positive matrix: for methods that start from the largest singular
// values of a weight or from the busiest directions of an input. The mirror image of basis.ts, without a factorisation.

import { dividedEigen } from "./divided-eigen.ts";
import { dominantSubspace, widthFor } from "./dominant-subspace.ts";
import { firstColumns, matrix, product, type DenseKernels, type Matrix } from "./kernels.ts";

export interface TopOptions {
  kernels: DenseKernels;
  seed: number;
  signal?: AbortSignal;
}

/** Unit eigenvectors of the `rank` largest eigenvalues of `gram` [n,n], as columns [n, rank], largest first. */
export async function topSubspace(gram: Matrix, rank: number, { kernels, seed, signal }: TopOptions): Promise<Matrix> {
  const size = gram.rows;
  const width = widthFor(rank, size);
  if (4 * width >= size || size <= 48 || isZero(gram)) return topOfAll(gram, rank, kernels);
  const found = await dominantSubspace((block) => product(kernels, gram, block), size, {
    wanted: rank, width, seed, angleTolerance: 1e-9, settleTolerance: 0, negligibleShare: 1e-13, maxApplications: 300, kernels, ...(signal && { signal }),
  });
  return firstColumns(found.vectors, rank);
}

async function topOfAll({ rows: size, values }: Matrix, rank: number, kernels: DenseKernels): Promise<Matrix> {
  const { rows } = await dividedEigen(values, size, kernels, size - rank, size);
  const out = matrix(size, rank);
  for (let i = 0; i < size; i++) for (let j = 0; j < rank; j++) out.values[i * rank + j] = rows[(rank - 1 - j) * size + i]!;
  return out;
}

function isZero({ values }: Matrix): boolean {
  return values.every((value) => value === 0);
}
