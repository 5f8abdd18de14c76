// The loss program: one micro-batch forward, for validation. Nothing is held for a backward pass.

import type { Checkpoint } from "../checkpoint/types.ts";
import { GraphBuilder } from "../graph/builder.ts";
import { emitOnnx, type OnnxProgram } from "../graph/emit-onnx.ts";
import { optimize } from "../graph/passes/optimize.ts";
import { rowLoss, type RowLossOptions } from "./row-loss.ts";

export type LossProgramOptions = Omit<RowLossOptions, "onLayerInput">;

/** Inputs as programs/train-program.ts's `trainFeeds` gives them, and the adapters. Output: `loss` []. */
export function buildLossProgram(checkpoint: Checkpoint, options: LossProgramOptions): OnnxProgram {
  const g = new GraphBuilder();
  g.output("loss", rowLoss(g, checkpoint, options).loss);
  return emitOnnx(optimize(g.graph()));
}
