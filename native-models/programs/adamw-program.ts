// One AdamW update over all trainables at once, as one vector.
// In: parameters, moments and gradients [P], and the step's scalars. Out: the new ones and the gradient norm.
// Source: Decoupled Weight Decay Regularization, arXiv 1711.05101, algorithm 2; clipping as torch's clip_grad_norm_.

import { GraphBuilder } from "../graph/builder.ts";
import { emitOnnx, type OnnxProgram } from "../graph/emit-onnx.ts";
import { optimize } from "../graph/passes/optimize.ts";
import { f32, type TensorData } from "../runtime/session.ts";

export interface AdamWSettings {
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
  /** Largest global gradient norm; null: no clipping. */
  clipNorm: number | null;
}

export function buildAdamWProgram({ beta1, beta2, epsilon, weightDecay, clipNorm }: AdamWSettings): OnnxProgram {
  const g = new GraphBuilder();
  const vector = (name: string) => g.input(name, "float32", ["P"]);
  const scalar = (name: string) => g.input(name, "float32", []);
  const [p, m, v, gradient] = [vector("p"), vector("m"), vector("v"), vector("g")];
  const [learningRate, stepSize, rootCorrection] = [scalar("learningRate"), scalar("stepSize"), scalar("rootCorrection")];

  const norm = g.sqrt(g.sumSquares(gradient));
  const clipped = clipNorm === null ? gradient : g.mul(gradient, g.min(g.div(g.scalar(clipNorm), g.add(norm, g.scalar(1e-6))), g.scalar(1)));
  const newM = g.add(g.scale(m, beta1), g.scale(clipped, 1 - beta1));
  const newV = g.add(g.scale(v, beta2), g.scale(g.square(clipped), 1 - beta2));
  const decayed = weightDecay === 0 ? p : g.mul(p, g.sub(g.scalar(1), g.scale(learningRate, weightDecay)));
  const denominator = g.add(g.div(g.sqrt(newV), rootCorrection), g.scalar(epsilon));
  g.output("p'", g.sub(decayed, g.mul(g.div(newM, denominator), stepSize)));
  g.output("m'", newM);
  g.output("v'", newV);
  g.output("norm", norm);
  return emitOnnx(optimize(g.graph()));
}

/** Scalars of update `step` (from 1): the bias corrections are worked out in float64. */
export function adamWScalars(settings: AdamWSettings, learningRate: number, step: number): Record<string, TensorData> {
  const scalar = (value: number): TensorData => f32(Float32Array.of(value));
  return {
    learningRate: scalar(learningRate),
    stepSize: scalar(learningRate / (1 - settings.beta1 ** step)),
    rootCorrection: scalar(Math.sqrt(1 - settings.beta2 ** step)),
  };
}
