// The answering program: new tokens of a batch of rows over a key/value cache, for greedy and sampled generation and
// for log-likelihoods. Rows with different adapters, or none, share one batch.
// In: packed new tokens, the cache as it lies, the places wanted. Out: logits, best tokens and log-likelihoods there, and
// the keys and values of the new tokens. Prefill and decode are the same program at different lengths.

import type { Checkpoint } from "../checkpoint/types.ts";
import { GraphBuilder } from "../graph/builder.ts";
import { times } from "../graph/dims.ts";
import { emitOnnx, type OnnxProgram } from "../graph/emit-onnx.ts";
import { optimize } from "../graph/passes/optimize.ts";
import type { Value } from "../graph/value.ts";
import { answeringAdapters, noAdapters } from "./adapters.ts";
import { decoderLayers, embed, finalNorm } from "./decoder.ts";
import { headName, modulesOf } from "./names.ts";
import { declareDecoderInputs, paddedAttention, type Attend } from "./padded-attention.ts";
import { weightOf } from "./weights.ts";

export interface AnswerProgramOptions {
  /** Longest row, prompt and answer together. */
  maxLength: number;
  /** Whether the program takes adapters and a weighing of their directions for each token. */
  hasAdapters: boolean;
}

/**
 * Inputs: those of packed rows; `mask` [B,1,rep·T,P+T]; `parts` [2] = P and T; `past.k.i` [B,G,E,P], `past.v.i` [B,G,P,E];
 * `picked` [M] packed places; `scored` [L] of those, `targets` [L,1] the tokens that follow them. Outputs: `logits` [M,V],
 * `best` [M], `logLikelihood` [L,1]; `k` [B,layers·G,E,T], `v` [B,layers·G,T,E] of the new tokens.
 */
export function buildAnswerProgram(checkpoint: Checkpoint, { maxLength, hasAdapters }: AnswerProgramOptions): OnnxProgram {
  const g = new GraphBuilder();
  const { config } = checkpoint;
  const { kvHeads: G, headSize: E, heads } = config;
  const rep = heads / G;
  const inputs = declareDecoderInputs(g);
  const mask = g.input("mask", "float32", ["B", 1, times("T", rep), "P+T"]);
  const parts = g.input("parts", "int64", [2]);
  const picked = g.input("picked", "int64", ["M"]);
  const scored = g.input("scored", "int64", ["L"]);
  const targets = g.input("targets", "int64", ["L", 1]);
  const project = hasAdapters ? answeringAdapters(g, modulesOf(config)) : noAdapters(g);
  const keys: Value[] = [];
  const values: Value[] = [];

  const attend: Attend = ({ layer, q, k, v }) => {
    keys.push(k);
    values.push(v);
    const past = { k: g.input(`past.k.${layer}`, "float32", ["B", G, E, "P"]), v: g.input(`past.v.${layer}`, "float32", ["B", G, "P", E]) };
    return g.cachedAttention(q, past, { k, v }, mask, parts);
  };
  const mix = paddedAttention({ g, checkpoint, inputs, maxLength, attend });
  const hidden = decoderLayers({ g, checkpoint, project, mix }, embed(g, checkpoint, inputs.ids), 0, config.layers);
  const wanted = finalNorm(g, checkpoint, g.gather(hidden, picked)); // [N,D] → [M,D]
  const logits = g.linear(wanted, weightOf(g, checkpoint, headName(config)));
  // Log-sums over the vocabulary only where a log-likelihood is asked for: a decoding step asks for none.
  const scoredLogits = g.gather(logits, scored); // [M,V] → [L,V]
  g.output("logits", logits);
  g.output("best", g.argMax(logits));
  g.output("logLikelihood", g.sub(g.pickColumn(scoredLogits, targets), g.logSumExp(scoredLogits)));
  g.output("k", g.concat(keys, 1));
  g.output("v", g.concat(values, 1));
  return emitOnnx(optimize(g.graph()));
}
