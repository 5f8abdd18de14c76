// LoRA-Null: the update lives in the directions that the model's knowledge uses least.
// Un = the R eigenvectors of G = Σ x xᵀ (knowledge text) with the smallest eigenvalues; U·S·Vᵀ = SVD of W·Un·Unᵀ cut at R;
// B = U·√S, A = √S·Vᵀ. Version 1 trains both; version 2 keeps A, so every update stays orthogonal to what was calibrated.
// Source: Tang et al., "LoRA-Null: Low-Rank Adaptation via Null Space for Large Language Models" (arXiv 2503.02659).

import { bottomSubspace } from "../nullspace/basis.ts";
import { basisMatrix, outputChangeOf, splitByBasis } from "./factors.ts";
import { needGram, type StartMethod } from "./method.ts";

const shared = {
  formula: "B·A = U S Vᵀ = SVD of W Un Unᵀ, Un = the R smallest eigenvectors of Σ x xᵀ",
  source: "Tang et al., LoRA-Null, arXiv 2503.02659",
  grams: "knowledge",
  async prepare({ knowledge }, where, { rank, seed, kernels, signal }) {
    const basis = await bottomSubspace(needGram(knowledge, where), rank, { kernels, seed, name: where, ...(signal && { signal }) });
    return {
      basis,
      async start({ read }) {
        const { seen, ...start } = await splitByBasis(read(), basisMatrix(basis), kernels);
        return { ...start, outputChange: outputChangeOf(seen, basis.ritzValues) };
      },
    };
  },
} satisfies Partial<StartMethod>;

export const loraNullV1: StartMethod = { ...shared, title: "LoRA-Null v1", kind: "both" };
export const loraNullV2: StartMethod = { ...shared, title: "LoRA-Null v2", kind: "b" };
