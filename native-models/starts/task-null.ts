// The task-aware null space (ours): directions that the task uses much and the model's knowledge little.
// U = the R directions that maximise tr(Uᵀ T U) relative to tr(Uᵀ (K + µI) U), K from knowledge text and T from the
// training prompts: the largest generalised eigenvectors of T u = λ (K + µI) u, orthonormalised; then LoRA-Null's start
// with U in place of Un. A stays, as in LoRA-Null v2. µ = a thousandth of K's mean eigenvalue: directions emptier than
// that count as equally empty, so that the task chooses among them.

import { dominantSubspace, widthFor } from "../nullspace/dominant-subspace.ts";
import { factorize, type Factor } from "../nullspace/factor.ts";
import { firstColumns, product, type DenseKernels, type Matrix } from "../nullspace/kernels.ts";
import { orthonormalColumns } from "../nullspace/orthonormal.ts";
import { symmetricEigen } from "../nullspace/symmetric-eigen.ts";
import type { Gram, NullBasis } from "../nullspace/types.ts";
import { basisMatrix, outputChangeOf, splitByBasis } from "./factors.ts";
import { needGram, type StartContext, type StartMethod } from "./method.ts";

const shiftShare = 1e-3;

export const taskNull: StartMethod = {
  title: "Task-aware null space",
  formula: "B·A = SVD of W U Uᵀ, U = the R largest directions of T u = λ (K + µI) u",
  source: "this project",
  grams: "knowledge and task",
  kind: "b",
  async prepare({ knowledge, task }, where, context) {
    const basis = await taskAwareBasis(needGram(knowledge, where), needGram(task, where), context);
    return {
      basis,
      async start({ read }) {
        const { seen, ...start } = await splitByBasis(read(), basisMatrix(basis), context.kernels);
        return { ...start, outputChange: outputChangeOf(seen, basis.ritzValues) };
      },
    };
  },
};

/** Orthonormal basis of the R leading generalised directions, turned so that UᵀKU is diagonal; energies are K's. */
export async function taskAwareBasis(knowledge: Gram, task: Gram, { rank, seed, kernels, signal }: StartContext): Promise<NullBasis> {
  const { size } = knowledge;
  let totalEnergy = 0;
  for (let i = 0; i < size; i++) totalEnergy += knowledge.values[i * size + i]!;
  const k: Matrix = { rows: size, cols: size, values: knowledge.values };
  const t: Matrix = { rows: size, cols: size, values: task.values };
  const shift = totalEnergy > 0 ? (shiftShare * totalEnergy) / size : 1;
  const factor = await factorize(k, shift, kernels, signal);
  if (!factor) throw new Error("taskAwareBasis: the knowledge Gram is not positive");
  try {
    return await basisThrough(factor, k, t, { totalEnergy, rank, seed, kernels, ...(signal && { signal }) });
  } finally {
    factor.release();
  }
}

interface Through extends Pick<StartContext, "rank" | "seed" | "kernels" | "signal"> {
  totalEnergy: number;
}

async function basisThrough(factor: Factor, k: Matrix, t: Matrix, { totalEnergy, rank, seed, kernels, signal }: Through): Promise<NullBasis> {
  const size = k.rows;
  const wanted = Math.min(rank, size);
  const width = widthFor(wanted, size);
  // In y = Lᵀu the problem is the ordinary one of L⁻¹·T·L⁻ᵀ.
  const found = await dominantSubspace((block) => applyWhitened(block, t, factor, kernels), size, {
    wanted, width, seed, angleTolerance: 1e-4, settleTolerance: 1e-10, negligibleShare: 1e-11, maxApplications: 200, kernels, ...(signal && { signal }),
  });
  const directions = firstColumns(found.vectors, wanted);
  await factor.solveUpper(directions);
  const columns = await orthonormalColumns(directions, kernels, seed);
  return diagonalIn(k, columns, { totalEnergy, iterations: found.applications, kernels });
}

async function applyWhitened(block: Matrix, task: Matrix, factor: Factor, kernels: DenseKernels): Promise<Matrix> {
  const spread: Matrix = { ...block, values: Float64Array.from(block.values) };
  await factor.solveUpper(spread);
  const image = await product(kernels, task, spread);
  await factor.solveLower(image);
  return image;
}

async function diagonalIn(gram: Matrix, columns: Matrix, { totalEnergy, iterations, kernels }: { totalEnergy: number; iterations: number; kernels: DenseKernels }): Promise<NullBasis> {
  const inner = await product(kernels, columns, await product(kernels, gram, columns), { transposeA: true });
  const { values, rows } = symmetricEigen(inner.values, columns.cols);
  const basis = await product(kernels, columns, { ...inner, values: rows }, { transposeB: true });
  const energy = values.reduce((sum, value) => sum + value, 0);
  return { size: gram.rows, rank: columns.cols, basis: basis.values, energy, energyExcess: null, totalEnergy, ritzValues: values, nextRitzValue: null, iterations };
}
