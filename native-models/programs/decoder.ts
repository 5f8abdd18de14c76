// The decoder as a graph over packed tokens: x is [N,D] with the N real tokens of all rows one after the other, so no
// matrix product touches padding. Only attention knows rows: padded-attention.ts, causal-blocks.ts.
// In: a checkpoint, a projector (base alone, or base plus adapters) and a way to attend. Out: hidden states for the programs.
// Source: Llama (arXiv 2302.13971); grouped-query attention (arXiv 2305.13245).

import type { Checkpoint } from "../checkpoint/types.ts";
import type { GraphBuilder } from "../graph/builder.ts";
import type { Value } from "../graph/value.ts";
import type { LayerInput } from "../nullspace/types.ts";
import { embeddingName, finalNormName, headName, moduleName, projections, type Projection } from "./names.ts";
import { weightOf } from "./weights.ts";

/** A projection to apply: its module's name and weight W0 [out,in]. */
export interface Projected {
  module: string;
  weight: Value;
}

/** y = W0·x and what an adapter adds, for all projections that read the same x. */
export type Project = (x: Value, group: readonly Projected[]) => Value[];

/** Queries, keys and values of all tokens, before rotation. */
export interface AttentionRows {
  layer: number;
  /** [N,H·E]. */
  q: Value;
  /** [N,G·E]. */
  k: Value;
  /** [N,G·E]. */
  v: Value;
}

/** What attention mixes of the values, for every token: [N,H·E]. */
export type Mix = (rows: AttentionRows) => Value;

export interface DecoderOptions {
  g: GraphBuilder;
  checkpoint: Checkpoint;
  project: Project;
  mix: Mix;
  /** Rows [M,·] of [N,·] that are wanted behind the model's last layer: behind its attention nothing else is computed. */
  select?: (x: Value) => Value;
  /** Sees the residual stream [N,D] that each layer reads. */
  onLayerInput?: (x: Value) => void;
  /** Sees the input of every group of projections. */
  tap?: (layer: number, input: LayerInput, x: Value) => void;
}

/** Hidden states [N,D] of token ids [N]. */
export function embed(g: GraphBuilder, checkpoint: Checkpoint, ids: Value): Value {
  return g.gather(weightOf(g, checkpoint, embeddingName), ids);
}

/** Layers `first`..`end−1` over x [N,D]. */
export function decoderLayers(options: DecoderOptions, x: Value, first: number, end: number): Value {
  let hidden = x;
  for (let layer = first; layer < end; layer++) {
    options.onLayerInput?.(hidden);
    hidden = decoderLayer(options, hidden, layer);
  }
  return hidden;
}

function decoderLayer(options: DecoderOptions, x: Value, layer: number): Value {
  const { g, checkpoint, project, mix, tap } = options;
  const { rmsNormEps } = checkpoint.config;
  const weight = (path: string): Value => weightOf(g, checkpoint, `${moduleName(layer, path)}.weight`);
  const apply = (input: Value, ...names: Projection[]): Value[] =>
    project(
      input,
      names.map((name) => {
        const { path } = projections.find(({ projection }) => projection === name) as (typeof projections)[number];
        return { module: moduleName(layer, path), weight: weight(path) };
      }),
    );

  const attentionInput = g.rmsNorm(x, weight("input_layernorm"), rmsNormEps);
  tap?.(layer, "attention", attentionInput);
  const [q, k, v] = apply(attentionInput, "q", "k", "v");
  const mixed = mix({ layer, q, k, v });
  const select = layer === checkpoint.config.layers - 1 && options.select ? options.select : (rows: Value): Value => rows;
  const attentionOutput = select(mixed); // → [N,H·E], or [M,H·E] in the last layer
  tap?.(layer, "attentionOutput", attentionOutput);
  const [attended] = apply(attentionOutput, "o");
  const h = g.add(select(x), attended);

  const mlpInput = g.rmsNorm(h, weight("post_attention_layernorm"), rmsNormEps);
  tap?.(layer, "mlp", mlpInput);
  const [gate, up] = apply(mlpInput, "gate", "up");
  const inner = g.swiGlu(gate, up);
  tap?.(layer, "mlpDown", inner);
  const [narrowed] = apply(inner, "down");
  return g.add(h, narrowed);
}

export function finalNorm(g: GraphBuilder, checkpoint: Checkpoint, x: Value): Value {
  return g.rmsNorm(x, weightOf(g, checkpoint, finalNormName), checkpoint.config.rmsNormEps);
}

/** Negative log-likelihood [M,1], nats, of targets [M] after hidden states [M,D], and ln p of all tokens [M,V]. */
export function tokenLoss(g: GraphBuilder, checkpoint: Checkpoint, hidden: Value, targets: Value): { nll: Value; logProbabilities: Value } {
  return g.tokenLoss(hidden, weightOf(g, checkpoint, headName(checkpoint.config)), targets);
}
