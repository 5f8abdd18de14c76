// OLoRA: orthonormal columns to start from.
// W = Q·R (Householder's, up to signs, which cancel); B = Q[:, :R], A = R[:R, :] = Bᵀ·W; both train.
// Source: Büyükakyüz, "OLoRA" (arXiv 2406.01775); PEFT, LoraLayer.olora_init.

import { firstColumns, product, transposed } from "../nullspace/kernels.ts";
import { orthonormalColumns } from "../nullspace/orthonormal.ts";
import { thinSvd } from "../nullspace/thin-svd.ts";
import type { StartMethod } from "./method.ts";

export const olora: StartMethod = {
  title: "OLoRA",
  formula: "B = Q[:, :R], A = R[:R, :] of W = Q R",
  source: "Büyükakyüz, OLoRA, arXiv 2406.01775",
  grams: "none",
  kind: "both",
  async prepare(_grams, _where, { rank, seed, kernels }) {
    return {
      basis: null,
      async start({ read }) {
        const weight = read();
        const q = await orthonormalColumns(firstColumns(weight, rank), kernels, seed);
        const r = await product(kernels, q, weight, { transposeA: true });
        const { singularValues } = await thinSvd(transposed(r), kernels); // Q is orthonormal: those of B·A
        return { rank, a: Float32Array.from(r.values), b: Float32Array.from(q.values), singularValues, outputChange: null };
      },
    };
  },
};
