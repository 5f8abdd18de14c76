// EVA: the adapter looks where the task's inputs vary most.
// A = the R largest right singular vectors of the task's inputs, which are the eigenvectors of their Gram matrix; B = 0.
// Every module keeps the same rank (ρ = 1 in the paper: no redistribution).
// Source: Paischer et al., "EVA" (arXiv 2410.07170); PEFT, initialize_lora_eva_weights with rho 1 and no whitening.

import { transposed } from "../nullspace/kernels.ts";
import { topSubspace } from "../nullspace/top-subspace.ts";
import { needGram, type StartMethod } from "./method.ts";

export const eva: StartMethod = {
  title: "EVA",
  formula: "A = the R largest eigenvectors of Σ x xᵀ over the task's inputs, B = 0",
  source: "Paischer et al., EVA, arXiv 2410.07170",
  grams: "task",
  kind: "zero",
  async prepare({ task }, where, { rank, ...options }) {
    const { size, values } = needGram(task, where);
    const a = Float32Array.from(transposed(await topSubspace({ rows: size, cols: size, values }, rank, options)).values);
    return {
      basis: null,
      start: async ({ out }) => ({ rank, a: a.slice(), b: new Float32Array(out * rank), singularValues: null, outputChange: 0 }),
    };
  },
};
