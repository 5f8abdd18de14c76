// A Gram matrix of any size with a known spectrum, shaped like a real one: G = S Q Λ Qᵀ S with Q the orthonormal cosine
// transform and S random signs. Every direction is dense, the eigenvalues are exact, and so is the least energy that R
// directions can have. Cost: one D³ product.

import { seededRandom } from "../native-models/data/random.ts";
import { matrix, product, type DenseKernels } from "../native-models/nullspace/kernels.ts";
import type { Gram } from "../native-models/nullspace/types.ts";

/**
 * log₁₀ of the eigenvalue by the share of directions below it. Read off the input of SmolLM2's first attention, the
 * widest spectrum of that model: ten orders, tiny gaps at the bottom, a few massive directions at the top.
 */
const knots: readonly (readonly [number, number])[] = [
  [0, -5], [0.03, -3.3], [0.125, -2.1], [0.25, -1.25], [0.5, -0.4], [0.875, 0.6], [0.965, 1.23], [0.99, 2.1], [0.997, 3.1], [1, 5.3],
];

/** Ascending. */
export function realisticSpectrum(size: number): Float64Array {
  return Float64Array.from({ length: size }, (_, i) => 10 ** exponentAt(size === 1 ? 1 : i / (size - 1)));
}

function exponentAt(share: number): number {
  const above = Math.max(1, knots.findIndex(([at]) => at >= share));
  const [[x0, y0], [x1, y1]] = [knots[above - 1]!, knots[above]!];
  return y0 + ((share - x0) / (x1 - x0)) * (y1 - y0);
}

export async function syntheticGram(size: number, seed: number, kernels: DenseKernels): Promise<Gram> {
  const eigenvalues = realisticSpectrum(size);
  const random = seededRandom(seed);
  const signs = Float64Array.from({ length: size }, () => (random.below(2) === 0 ? 1 : -1));
  const order = random.shuffle(Array.from({ length: size }, (_, i) => i)); // smooth and rough waves at both ends of the spectrum
  const rotation = matrix(size, size);
  const waves = Float64Array.from({ length: 4 * size }, (_, k) => Math.cos((Math.PI * k) / (2 * size)));
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) {
      const k = order[j]!;
      rotation.values[i * size + j] = signs[i]! * Math.sqrt((k === 0 ? 1 : 2) / size) * waves[((2 * i + 1) * k) % (4 * size)]!;
    }
  }
  const scaled = matrix(size, size);
  for (let i = 0; i < scaled.values.length; i++) scaled.values[i] = rotation.values[i]! * Math.sqrt(eigenvalues[i % size]!);
  return { size, values: (await product(kernels, scaled, scaled, { transposeB: true })).values };
}
