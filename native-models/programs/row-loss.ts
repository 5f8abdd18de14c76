// The loss of packed rows under adapters in training: what the gradient program differentiates and the loss program gives
// out. Both declare the same inputs here, so both are fed the same arrays (train-program.ts's `trainFeeds`).
// In: packed rows, trained positions and their targets, the adapters. Out: Σ loss · weight over trained positions; logits
// exist there only.

import type { Checkpoint } from "../checkpoint/types.ts";
import type { GraphBuilder } from "../graph/builder.ts";
import type { Value } from "../graph/value.ts";
import { trainingAdapters, type AdapterKind, type TrainingAdapters } from "./adapters.ts";
import { causalBlocks } from "./causal-blocks.ts";
import { decoderLayers, embed, finalNorm, tokenLoss } from "./decoder.ts";
import { modulesOf } from "./names.ts";

export interface RowLossOptions {
  rank: number;
  kind: AdapterKind;
  /** Longest row in tokens. */
  maxLength: number;
  /** Sees the residual stream [N,D] that each layer reads. */
  onLayerInput?: (x: Value) => void;
}

export interface RowLoss {
  loss: Value;
  /** What leaves the last layer, at trained positions: [M,D]. */
  hidden: Value;
  /** Loss of each target, nats: [M,1]. */
  nll: Value;
  /** ln p of every token at trained positions: [M,V]. */
  logProbabilities: Value;
  adapters: TrainingAdapters;
}

export function rowLoss(g: GraphBuilder, checkpoint: Checkpoint, { rank, kind, maxLength, onLayerInput }: RowLossOptions): RowLoss {
  const { config } = checkpoint;
  const ids = g.input("ids", "int64", ["N"]);
  const picked = { from: g.input("picked.from", "int64", ["M"]), to: g.input("picked.to", "int64", ["N"]), valid: g.input("picked.valid", "float32", ["N", 1]) };
  const targets = g.input("targets", "int64", ["M"]);
  const lossWeight = g.input("lossWeight", "float32", ["M", 1]);
  const adapters = trainingAdapters(g, modulesOf(config), rank, kind);
  const options = {
    g,
    checkpoint,
    project: adapters.project,
    mix: causalBlocks({ g, checkpoint, maxLength }),
    select: (x: Value) => g.collectRows(x, picked),
    onLayerInput,
  };
  const hidden = decoderLayers(options, embed(g, checkpoint, ids), 0, config.layers);
  const { nll, logProbabilities } = tokenLoss(g, checkpoint, finalNorm(g, checkpoint, hidden), targets);
  return { loss: g.reduceSum(g.mul(nll, lossWeight), [0, 1]), hidden, nll, logProbabilities, adapters };
}
