// MiLoRA: the adapter takes over the weakest part of each weight, and the strong part stays.
// W = U·S·Vᵀ; B = U_R·√S_R and A = √S_R·V_Rᵀ of the R smallest singular values; both train.
// Source: Wang et al., "MiLoRA" (arXiv 2406.09044).

import type { StartMethod } from "./method.ts";
import { startOnDirections } from "./weight-sides.ts";

export const milora: StartMethod = {
  title: "MiLoRA",
  formula: "B·A = U S Vᵀ of the R smallest singular values of W",
  source: "Wang et al., MiLoRA, arXiv 2406.09044",
  grams: "none",
  kind: "both",
  prepare: startOnDirections("smallest"),
};
