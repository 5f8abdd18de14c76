// EVA: the adapter looks where the task's inputs vary most.
// A = the R largest right singular vectors of the task's inputs less their mean, which are the eigenvectors of
// Σ x xᵀ − s sᵀ/n with s = Σ x over n tokens; B = 0. The mean goes because the reference's incremental SVD (Ross et al.,
// 2008) is a principal component analysis: it takes the running mean off every batch.
// Every module keeps the rank it was given. The paper moves ranks to where they explain most, up to ρ times as many
// (PEFT: rho, 2.0 unless said); this is its ρ = 1, so that all methods are compared at equal ranks.
// Source: Paischer et al., "EVA" (arXiv 2410.07170); PEFT, initialize_lora_eva_weights with rho 1 and no whitening.

import { transposed, type Matrix } from "../nullspace/kernels.ts";
import { topSubspace } from "../nullspace/top-subspace.ts";
import type { Gram } from "../nullspace/types.ts";
import { needGram, type StartMethod } from "./method.ts";

export const eva: StartMethod = {
  title: "EVA",
  formula: "A = the R largest eigenvectors of the covariance of the task's inputs, B = 0",
  source: "Paischer et al., EVA, arXiv 2410.07170",
  grams: "task",
  kind: "zero",
  async prepare({ task }, where, { rank, ...options }) {
    const a = Float32Array.from(transposed(await topSubspace(centred(needGram(task, where), where), rank, options)).values);
    return {
      basis: null,
      start: async ({ out }) => ({ rank, a: a.slice(), b: new Float32Array(out * rank), singularValues: null, outputChange: 0 }),
    };
  },
};

/** Σ (x − s/n)(x − s/n)ᵀ [D,D]. */
function centred({ size, values, centre }: Gram, where: string): Matrix {
  if (!centre) throw new Error(`${where}: EVA needs the sum of the inputs beside their Gram matrix`);
  const { sum, count } = centre;
  const out = values.slice();
  for (let i = 0; i < size; i++) {
    const share = sum[i]! / count;
    for (let j = 0; j < size; j++) out[i * size + j] = out[i * size + j]! - share * sum[j]!;
  }
  return { rows: size, cols: size, values: out };
}
