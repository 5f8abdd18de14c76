// PiSSA: the adapter takes over the strongest part of each weight.
// W = U·S·Vᵀ; B = U_R·√S_R and A = √S_R·V_Rᵀ of the R largest singular values; both train.
// Source: Meng et al., "PiSSA" (arXiv 2404.02948); PEFT, LoraLayer.pissa_init.

import type { StartMethod } from "./method.ts";
import { startOnDirections } from "./weight-sides.ts";

export const pissa: StartMethod = {
  title: "PiSSA",
  formula: "B·A = U S Vᵀ of the R largest singular values of W",
  source: "Meng et al., PiSSA, arXiv 2404.02948",
  grams: "none",
  kind: "both",
  prepare: startOnDirections("largest"),
};
