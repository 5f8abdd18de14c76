// PiSSA: the adapter takes over the strongest part of each weight.
// W = U·S·Vᵀ; B = U_R·√S_R and A = √S_R·V_Rᵀ of the R largest singular values; both train.
// Source: Meng et al., "PiSSA" (arXiv 2404.02948); PEFT, LoraLayer.pissa_init.

import { splitBySide } from "./factors.ts";
import type { StartMethod } from "./method.ts";
import { singularDirections } from "./weight-sides.ts";

export const pissa: StartMethod = {
  title: "PiSSA",
  formula: "B·A = U S Vᵀ of the R largest singular values of W",
  source: "Meng et al., PiSSA, arXiv 2404.02948",
  grams: "none",
  kind: "both",
  async prepare(_grams, _where, context) {
    return {
      basis: null,
      async start({ name, read }) {
        const weight = read();
        const { side, columns } = await singularDirections(weight, "largest", name, context);
        return splitBySide(weight, columns, side, context.kernels);
      },
    };
  },
};
