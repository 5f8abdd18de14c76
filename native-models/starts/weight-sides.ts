// Singular directions of a weight from the smaller of W·Wᵀ and Wᵀ·W.

import { bottomSubspace } from "../nullspace/basis.ts";
import { product, type Matrix } from "../nullspace/kernels.ts";
import { topSubspace } from "../nullspace/top-subspace.ts";
import { basisMatrix } from "./factors.ts";
import type { StartContext } from "./method.ts";

export interface SingularDirections {
  /** Left directions lie in R^out, right ones in R^in. */
  side: "left" | "right";
  /** [out or in, R], orthonormal. */
  columns: Matrix;
}

/** The R directions of W [out,in] with the largest or the smallest of its min(out, in) singular values. */
export async function singularDirections(weight: Matrix, which: "largest" | "smallest", where: string, { rank, seed, kernels, signal }: StartContext): Promise<SingularDirections> {
  const side = weight.rows <= weight.cols ? "left" : "right";
  const gram = await product(kernels, weight, weight, side === "left" ? { transposeB: true } : { transposeA: true });
  const options = { kernels, seed, ...(signal && { signal }) };
  if (which === "largest") return { side, columns: await topSubspace(gram, rank, options) };
  const basis = await bottomSubspace({ size: gram.rows, values: gram.values }, rank, { ...options, name: where });
  return { side, columns: basisMatrix(basis) };
}
