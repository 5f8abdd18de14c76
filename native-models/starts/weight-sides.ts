// Singular directions of a weight from the smaller of W·Wᵀ and Wᵀ·W.

import { bottomSubspace } from "../nullspace/basis.ts";
import { product, type Matrix } from "../nullspace/kernels.ts";
import { topSubspace } from "../nullspace/top-subspace.ts";
import { basisMatrix, splitBySide } from "./factors.ts";
import type { StartContext, StartMethod } from "./method.ts";

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
  // Closer than for a null space: here B·A itself is held against a reference, not an energy, which forgives the square of an angle.
  const basis = await bottomSubspace({ size: gram.rows, values: gram.values }, rank, { ...options, name: where, angleTolerance: 1e-9, settleTolerance: 0 });
  return { side, columns: basisMatrix(basis) };
}

/** The start that takes over the part of each weight on those directions: what PiSSA and MiLoRA differ in is `which`. */
export function startOnDirections(which: "largest" | "smallest"): StartMethod["prepare"] {
  return async (_grams, _where, context) => ({
    basis: null,
    async start({ name, read }) {
      const weight = read();
      const { side, columns } = await singularDirections(weight, which, name, context);
      return splitBySide(weight, columns, side, context.kernels);
    },
  });
}
