// Cosines and sines of rotary position embedding, [P, E/2].
// Source: RoFormer, arXiv 2104.09864, eq. 34; Llama 3's frequency scaling as in transformers' rope utilities.

import type { ModelConfig, RopeConfig } from "../checkpoint/types.ts";
import type { GraphBuilder } from "../graph/builder.ts";
import type { Value } from "../graph/value.ts";

/** Tables [P,E/2] in a graph. */
export interface Rotation {
  cos: Value;
  sin: Value;
}

/** Tables for queries, softmax scale included, and for keys. */
export function rotations(g: GraphBuilder, { rope, headSize }: Pick<ModelConfig, "rope" | "headSize">, positions: number): Record<"q" | "k", Rotation> {
  const table = (scale: number): Rotation => {
    const { cos, sin } = rotaryTables(rope, headSize, positions, scale);
    const shape = [positions, headSize / 2];
    return { cos: g.constant(cos, shape), sin: g.constant(sin, shape) };
  };
  return { q: table(headSize ** -0.5), k: table(1) };
}

/** Tables for positions 0..positions−1, each entry times `scale` (the softmax scale rides on the query's table). */
export function rotaryTables(rope: RopeConfig, headSize: number, positions: number, scale = 1): { cos: Float32Array; sin: Float32Array } {
  const half = headSize / 2;
  const cos = new Float32Array(positions * half);
  const sin = new Float32Array(positions * half);
  const frequencies = Float64Array.from({ length: half }, (_, i) => scaledFrequency(rope, rope.theta ** (-2 * i / headSize)));
  for (let p = 0; p < positions; p++) {
    for (let i = 0; i < half; i++) {
      cos[p * half + i] = Math.cos(p * frequencies[i]) * scale;
      sin[p * half + i] = Math.sin(p * frequencies[i]) * scale;
    }
  }
  return { cos, sin };
}

function scaledFrequency({ llama3 }: RopeConfig, frequency: number): number {
  if (!llama3) return frequency;
  const { factor, lowFreqFactor, highFreqFactor, originalMaxPositions } = llama3;
  const wavelength = (2 * Math.PI) / frequency;
  if (wavelength < originalMaxPositions / highFreqFactor) return frequency;
  if (wavelength > originalMaxPositions / lowFreqFactor) return frequency / factor;
  const smooth = (originalMaxPositions / wavelength - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
  return ((1 - smooth) * frequency) / factor + smooth * frequency;
}
