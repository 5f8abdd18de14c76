// The answering program: new tokens of a batch of rows over a key/value cache, for greedy and sampled generation and
// for log-likelihoods. Rows with different adapters, or none, share one batch.
// In: packed new tokens, the cache so far, the places wanted. Out: logits, best tokens and log-likelihoods there, and
// the grown cache. Prefill and decode are the same program at different lengths.

import type { Checkpoint } from "../checkpoint/types.ts";
import { GraphBuilder } from "../graph/builder.ts";
import { times } from "../graph/dims.ts";
import { emitOnnx, type OnnxProgram } from "../graph/emit-onnx.ts";
import { optimize } from "../graph/passes/optimize.ts";
import { answeringAdapters, noAdapters } from "./adapters.ts";
import { declareDecoderInputs, decoderLayers, embed, finalNorm, tokenLoss } from "./decoder.ts";
import { modulesOf } from "./names.ts";

export interface AnswerProgramOptions {
  /** Longest row, prompt and answer together. */
  maxLength: number;
  /** Whether the program takes adapters and a weighing of their directions for each token. */
  hasAdapters: boolean;
}

/**
 * Inputs: those of packed rows; `mask` [B,1,rep·T,S]; `past.k.i` [B,G,E,P], `past.v.i` [B,G,P,E]; `picked` [M] packed
 * places; `targets` [M] token ids. Outputs: `logits` [M,V], `best` [M], `logLikelihood` [M,1], `k.i`, `v.i`.
 */
export function buildAnswerProgram(checkpoint: Checkpoint, { maxLength, hasAdapters }: AnswerProgramOptions): OnnxProgram {
  const g = new GraphBuilder();
  const { config } = checkpoint;
  const { kvHeads: G, headSize: E, heads } = config;
  const rep = heads / G;
  const inputs = declareDecoderInputs(g);
  const mask = g.input("mask", "float32", ["B", 1, times("T", rep), "P+T"]);
  const picked = g.input("picked", "int64", ["M"]);
  const targets = g.input("targets", "int64", ["M"]);
  const project = hasAdapters ? answeringAdapters(g, modulesOf(config)) : noAdapters(g);

  const hidden = decoderLayers(
    {
      g,
      checkpoint,
      inputs,
      maxLength,
      project,
      attend({ layer, q, k, v }) {
        const keys = g.concat([g.input(`past.k.${layer}`, "float32", ["B", G, E, "P"]), k], 3);
        const values = g.concat([g.input(`past.v.${layer}`, "float32", ["B", G, "P", E]), v], 2);
        g.output(`k.${layer}`, keys);
        g.output(`v.${layer}`, values);
        return g.softmaxMatMul(g.add(g.matmul(q, keys), mask), values);
      },
    },
    embed(g, checkpoint, inputs.ids),
    0,
    config.layers,
  );
  const wanted = finalNorm(g, checkpoint, g.gather(hidden, picked)); // [N,D] → [M,D]
  const { nll, logits } = tokenLoss(g, checkpoint, wanted, targets);
  g.output("logits", logits);
  g.output("best", g.argMax(logits));
  g.output("logLikelihood", g.neg(nll));
  return emitOnnx(optimize(g.graph()));
}
