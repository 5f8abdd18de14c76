// The answering program: new tokens of a batch of rows over a key/value cache, for greedy and sampled generation and
// for log-likelihoods. Rows with different adapters, or none, share one batch.
// In: packed new tokens, the cache as it lies, the places wanted. Out: logits, best tokens and log-likelihoods there, and
// the keys and values of the new tokens. Prefill and decode are the same program at different lengths.

import type { Checkpoint } from "../checkpoint/types.ts";
import { GraphBuilder } from "../graph/builder.ts";
import { emitOnnx, type OnnxProgram } from "../graph/emit-onnx.ts";
import { optimize } from "../graph/passes/optimize.ts";
import { quantisedHead, type QuantisedModel } from "../quantised/quantised-model.ts";
import { cachedAttention } from "./cached-attention.ts";
import { decoderLayers, embed, finalNorm } from "./decoder.ts";
import { joinedProducts } from "./joined-products.ts";
import { embeddingName, headName } from "./names.ts";
import { quantisedProduct, storedTensor, withKeptWeights } from "./quantised-weights.ts";
import { weightOf } from "./weights.ts";

export interface AnswerProgramOptions {
  /** Longest row, prompt and answer together. */
  maxLength: number;
  /** Whether the program takes adapters and a weighing of their directions for each token. */
  hasAdapters: boolean;
  /** Weights in blocks of integers in place of the checkpoint's own. */
  quantised?: QuantisedModel | null;
}

/**
 * Inputs: packed tokens, `ids` [N] and their `positions` [N,1]; those of cached-attention.ts; `picked` [M] of the tokens;
 * `scored` [L] of those, `targets` [L,1] the tokens that follow them; with adapters, those of joined-products.ts. Outputs:
 * `logits` [M,V], `best` [M], `logLikelihood` [L,1]; `k` and `v` [n,A,layers·G,T,E] of the new tokens.
 */
export function buildAnswerProgram(checkpoint: Checkpoint, { maxLength, hasAdapters, quantised = null }: AnswerProgramOptions): OnnxProgram {
  const g = new GraphBuilder();
  const { config } = checkpoint;
  const ids = g.input("ids", "int64", ["N"]);
  const positions = g.input("positions", "int64", ["N", 1]);
  const picked = g.input("picked", "int64", ["M"]);
  const scored = g.input("scored", "int64", ["L"]);
  const targets = g.input("targets", "int64", ["L", 1]);
  const { project, joinedFrom } = joinedProducts(g, config, { hasAdapters, quantised });
  const { mix, keys, values } = cachedAttention(g, { config, positions, maxLength, joinedFrom });
  const weights = quantised ? withKeptWeights(checkpoint, quantised) : checkpoint;
  // Of a table that nothing else reads, only the rows looked up are widened.
  const embedded = quantised ? g.cast(g.gather(storedTensor(g, quantised, embeddingName), ids), "float32") : embed(g, checkpoint, ids);
  const hidden = decoderLayers({ g, checkpoint: weights, project, mix }, embedded, 0, config.layers);
  const wanted = finalNorm(g, weights, g.gather(hidden, picked)); // [N,D] → [M,D]
  const logits = quantised ? quantisedProduct(g, quantised, wanted, quantisedHead) : g.linear(wanted, weightOf(g, checkpoint, headName(config)));
  // Log-sums over the vocabulary only where a log-likelihood is asked for: a decoding step asks for none.
  const scoredLogits = g.gather(logits, scored); // [M,V] → [L,V]
  g.output("logits", logits);
  g.output("best", g.argMax(logits));
  g.output("logLikelihood", g.sub(g.pickColumn(scoredLogits, targets), g.logSumExp(scoredLogits)));
  g.output("k", g.concat(keys, 2));
  g.output("v", g.concat(values, 2));
  return emitOnnx(optimize(g.graph()));
}
