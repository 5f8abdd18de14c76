// Choosing the next token from logits.
// Order as in transformers' generation: repetition penalty (CTRL, arXiv 1909.05858), temperature, top-k, top-p (nucleus,
// arXiv 1904.09751), min-p (arXiv 2407.01082), then a draw.

import type { Random } from "../data/random.ts";

export interface Sampling {
  /** 0: greedy. */
  temperature: number;
  /** 1: off. */
  topP: number;
  /** 0: off. */
  topK: number;
  /** 0: off. */
  minP: number;
  /** 1: off. */
  repetitionPenalty: number;
}

/** Index of the chosen token. `seen`: tokens of the prompt and the answer so far. */
export function chooseToken(logits: Float32Array, seen: Iterable<number>, sampling: Sampling, random: Random): number {
  const scores = Float32Array.from(logits);
  if (sampling.repetitionPenalty !== 1) {
    for (const id of new Set(seen)) scores[id] = scores[id] > 0 ? scores[id] / sampling.repetitionPenalty : scores[id] * sampling.repetitionPenalty;
  }
  if (sampling.temperature === 0) return indexOfLargest(scores);

  const largest = scores[indexOfLargest(scores)];
  // Below 1e-7 of the most likely token nothing is ever drawn; leaving them out keeps the sort short.
  const reach = 16 * sampling.temperature;
  let candidates: { id: number; weight: number }[] = [];
  for (let id = 0; id < scores.length; id++) {
    if (scores[id] >= largest - reach) candidates.push({ id, weight: Math.exp((scores[id] - largest) / sampling.temperature) });
  }
  candidates.sort((a, b) => b.weight - a.weight || a.id - b.id);
  if (sampling.topK > 0) candidates = candidates.slice(0, sampling.topK);
  candidates = nucleus(candidates, sampling.topP);
  candidates = candidates.filter(({ weight }) => weight >= sampling.minP * candidates[0].weight);

  const total = candidates.reduce((sum, { weight }) => sum + weight, 0);
  let draw = random.float() * total;
  for (const { id, weight } of candidates) {
    draw -= weight;
    if (draw < 0) return id;
  }
  return candidates[candidates.length - 1].id;
}

/** The fewest most likely tokens whose probability reaches `topP`. */
function nucleus(sorted: { id: number; weight: number }[], topP: number): { id: number; weight: number }[] {
  if (topP >= 1) return sorted;
  const total = sorted.reduce((sum, { weight }) => sum + weight, 0);
  let mass = 0;
  const end = sorted.findIndex(({ weight }) => (mass += weight) >= topP * total);
  return end < 0 ? sorted : sorted.slice(0, end + 1);
}

export function indexOfLargest(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}
