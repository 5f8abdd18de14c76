// LoRA: A is random and B is zero, so the update starts at nothing.
// A ~ U(−1/√in, 1/√in), which is Kaiming's uniform with a = √5 as PEFT draws it; B = 0.
// Source: Hu et al., "LoRA" (arXiv 2106.09685); PEFT, LoraLayer.reset_lora_parameters.

import { seededRandom } from "../data/random.ts";
import { streamOf } from "../nullspace/random.ts";
import type { StartMethod } from "./method.ts";

export const lora: StartMethod = {
  title: "LoRA",
  formula: "A ~ U(−1/√in, 1/√in), B = 0",
  source: "Hu et al., LoRA, arXiv 2106.09685",
  grams: "none",
  kind: "zero",
  async prepare(_grams, _where, { rank, seed }) {
    return {
      basis: null,
      async start({ name, out, in: size }) {
        const random = seededRandom(seed, streamOf(name));
        const bound = 1 / Math.sqrt(size);
        const a = Float32Array.from({ length: rank * size }, () => (2 * random.float() - 1) * bound);
        return { rank, a, b: new Float32Array(out * rank), singularValues: null, outputChange: 0 };
      },
    };
  },
};
