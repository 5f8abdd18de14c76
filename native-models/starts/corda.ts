// CorDA: decompose the weight as the calibration text sees it.
// C = Σ x xᵀ, damped by a hundredth of its mean diagonal; U·S·Vᵀ = SVD of W·C; B = U_R·√S_R, A = √S_R·V_Rᵀ·C⁻¹.
// Knowledge-preserved: C of knowledge text, the R smallest singular values. Instruction-previewed: C of the task, the R
// largest. Scaling C moves size between A and B and leaves B·A; here C has a mean diagonal of one, so that they balance
// as in the SVD of W (the official code divides by each sample's maximum instead).
// Source: Yang et al., "CorDA" (arXiv 2406.05223); PEFT, lora/corda.py and LoraLayer.corda_init.

import { factorize } from "../nullspace/factor.ts";
import { product, transposed, type DenseKernels, type Matrix } from "../nullspace/kernels.ts";
import { thinSvd } from "../nullspace/thin-svd.ts";
import type { Gram } from "../nullspace/types.ts";
import { balancedFactors } from "./factors.ts";
import { needGram, type ProjectionStart, type StartMethod } from "./method.ts";
import { singularDirections } from "./weight-sides.ts";

const damping = 0.01;
const source = "Yang et al., CorDA, arXiv 2406.05223";

export const cordaKnowledge: StartMethod = {
  title: "CorDA, knowledge-preserved",
  formula: "B·A = U S Vᵀ C⁻¹ of the R smallest singular values of W C, C = Σ x xᵀ of knowledge text",
  source,
  grams: "knowledge",
  kind: "both",
  prepare: ({ knowledge }, where, context) => prepareCorda(needGram(knowledge, where), "smallest", context),
};

export const cordaTask: StartMethod = {
  title: "CorDA, instruction-previewed",
  formula: "B·A = U S Vᵀ C⁻¹ of the R largest singular values of W C, C = Σ x xᵀ of the task",
  source,
  grams: "task",
  kind: "both",
  prepare: ({ task }, where, context) => prepareCorda(needGram(task, where), "largest", context),
};

async function prepareCorda(gram: Gram, which: "largest" | "smallest", context: Parameters<StartMethod["prepare"]>[2]): ReturnType<StartMethod["prepare"]> {
  const { kernels, signal } = context;
  const covariance = dampedCovariance(gram);
  return {
    basis: null,
    async start({ name, read }) {
      const weight = read();
      const seen = await product(kernels, weight, covariance); // W·C [out,in]
      const { side, columns } = await singularDirections(seen, which, name, context);
      return side === "left" ? fromLeft(weight, seen, columns, kernels) : fromRight(seen, columns, covariance, kernels, signal);
    },
  };
}

/** U given: U·Uᵀ·(W·C) is the chosen part, and C cancels: B·A = U·Uᵀ·W. */
async function fromLeft(weight: Matrix, seen: Matrix, columns: Matrix, kernels: DenseKernels): Promise<ProjectionStart> {
  const { singularValues, right } = await thinSvd(await product(kernels, seen, columns, { transposeA: true }), kernels); // (W·C)ᵀ·U = V·S·Zᵀ
  const left = await product(kernels, columns, right, { transposeB: true }); // U·Z [out,R]
  // Balanced as B = U√S, A = √S·Vᵀ·C⁻¹ = S^(−1/2)·Uᵀ·W.
  const rows = await product(kernels, left, weight, { transposeA: true });
  scaleRows(rows, singularValues, (s) => (s > 0 ? 1 / s : 0));
  const scaled: Matrix = { ...left, values: left.values.map((value, i) => value * singularValues[i % left.cols]!) };
  return balancedFactors(scaled, singularValues, rows);
}

/** V given: B = W·C·V over √S, and A needs C⁻¹·V. */
async function fromRight(seen: Matrix, columns: Matrix, covariance: Matrix, kernels: DenseKernels, signal?: AbortSignal): Promise<ProjectionStart> {
  const { singularValues, scaled, right } = await thinSvd(await product(kernels, seen, columns), kernels);
  const turned = await product(kernels, columns, right, { transposeB: true }); // V [in,R]
  const factor = await factorize(covariance, 0, kernels, signal);
  if (!factor) throw new Error("corda: the damped covariance is not positive definite");
  try {
    await factor.solve(turned);
  } finally {
    factor.release();
  }
  return balancedFactors(scaled, singularValues, transposed(turned));
}

function dampedCovariance({ size, values }: Gram): Matrix {
  let trace = 0;
  for (let i = 0; i < size; i++) trace += values[i * size + i]!;
  const scale = trace > 0 ? size / trace : 0;
  const out = values.map((value) => value * scale);
  for (let i = 0; i < size; i++) out[i * size + i] = out[i * size + i]! + damping;
  return { rows: size, cols: size, values: out };
}

function scaleRows({ cols, values }: Matrix, by: Float64Array, map: (s: number) => number): void {
  for (let i = 0; i < values.length; i++) values[i] = values[i]! * map(by[Math.floor(i / cols)]!);
}
