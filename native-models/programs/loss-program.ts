// The loss program: one micro-batch forward, for validation and for retention. Nothing is held for a backward pass.

import type { Checkpoint } from "../checkpoint/types.ts";
import { GraphBuilder } from "../graph/builder.ts";
import { emitOnnx, type OnnxProgram } from "../graph/emit-onnx.ts";
import { optimize } from "../graph/passes/optimize.ts";
import { rowLoss, type RowLossOptions } from "./row-loss.ts";

export interface LossProgramOptions extends Omit<RowLossOptions, "onLayerInput"> {
  /** Whether it gives `nll` [M,1] and `best` [M] too: each target's loss, and the most likely token in its place. */
  tellsTokens: boolean;
}

/** Inputs as programs/train-program.ts's `trainFeeds` gives them, and the adapters. Output: `loss` []. */
export function buildLossProgram(checkpoint: Checkpoint, { tellsTokens, ...options }: LossProgramOptions): OnnxProgram {
  const g = new GraphBuilder();
  const { loss, nll, logProbabilities } = rowLoss(g, checkpoint, options);
  g.output("loss", loss);
  if (tellsTokens) {
    g.output("nll", nll);
    g.output("best", g.argMax(logProbabilities));
  }
  return emitOnnx(optimize(g.graph()));
}
