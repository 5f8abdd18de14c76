// The loss program: one micro-batch forward, for validation. Its inputs are those of the gradient program, so both are fed
// the same arrays.
// In: packed rows, trained positions and their targets, the adapters. Out: the sum of their losses, weighted. Nothing is
// held for a backward pass, and logits exist at trained positions only.

import type { Checkpoint } from "../checkpoint/types.ts";
import { GraphBuilder } from "../graph/builder.ts";
import { emitOnnx, type OnnxProgram } from "../graph/emit-onnx.ts";
import { optimize } from "../graph/passes/optimize.ts";
import type { Value } from "../graph/value.ts";
import { trainingAdapters, type AdapterKind } from "./adapters.ts";
import { attendWithin, declareDecoderInputs, decoderLayers, embed, finalNorm, tokenLoss } from "./decoder.ts";
import { modulesOf } from "./names.ts";

/** Tables reach as far as padding of the longest row may. */
const paddedTo = 64;

export interface LossProgramOptions {
  rank: number;
  kind: AdapterKind;
  /** Longest row in tokens. */
  maxLength: number;
}

/** Inputs as programs/train-program.ts's `trainFeeds` gives them, and the adapters. Output: `loss` []. */
export function buildLossProgram(checkpoint: Checkpoint, { rank, kind, maxLength }: LossProgramOptions): OnnxProgram {
  const g = new GraphBuilder();
  const { config } = checkpoint;
  const inputs = declareDecoderInputs(g);
  const rep = config.heads / config.kvHeads;
  const mask = g.input("mask", "float32", [rep === 1 ? "T" : `${rep}*T`, "T"]);
  const picked = { from: g.input("picked.from", "int64", ["M"]), to: g.input("picked.to", "int64", ["N"]), valid: g.input("picked.valid", "float32", ["N", 1]) };
  const targets = g.input("targets", "int64", ["M"]);
  const lossWeight = g.input("lossWeight", "float32", ["M", 1]);
  const { project } = trainingAdapters(g, modulesOf(config), rank, kind);
  const options = { g, checkpoint, inputs, maxLength: Math.ceil(maxLength / paddedTo) * paddedTo, project, attend: attendWithin(g, mask), select: (x: Value) => g.collectRows(x, picked) };

  const hidden = decoderLayers(options, embed(g, checkpoint, inputs.ids), 0, config.layers);
  const predicting = finalNorm(g, checkpoint, hidden); // [M,D]
  const { nll } = tokenLoss(g, checkpoint, predicting, targets);
  g.output("loss", g.reduceSum(g.mul(nll, lossWeight), [0, 1]));
  return emitOnnx(optimize(g.graph()));
}
