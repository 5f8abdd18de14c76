// The decoder as a graph over packed tokens: x is [N,D] with the N real tokens of all rows one after the other, so no
// matrix product touches padding. Only attention sees the padded layout [B,T].
// In: a checkpoint and a projector (base alone, or base plus adapters). Out: hidden states for the programs.
// Source: Llama (arXiv 2302.13971); grouped-query attention (arXiv 2305.13245).

import type { Checkpoint } from "../checkpoint/types.ts";
import type { GraphBuilder, RowMap } from "../graph/builder.ts";
import { times } from "../graph/dims.ts";
import type { Value } from "../graph/value.ts";
import type { LayerInput } from "../nullspace/types.ts";
import { embeddingName, finalNormName, headName, moduleName, projections, type Projection } from "./names.ts";
import { rotaryTables } from "./rotary-tables.ts";
import { weightOf } from "./weights.ts";

/** A projection to apply: its module's name and weight W0 [out,in]. */
export interface Projected {
  module: string;
  weight: Value;
}

/** y = W0·x and what an adapter adds, for all projections that read the same x. */
export type Project = (x: Value, group: readonly Projected[]) => Value[];

export interface Attended {
  layer: number;
  /** [B,G,rep,T,E] after rotation, softmax scale included. */
  q: Value;
  /** [B,G,E,T] after rotation. */
  k: Value;
  /** [B,G,T,E]. */
  v: Value;
}

/** Weighted values [B,G,rep·T,E] of the queries [B,G,rep·T,E]. */
export type Attend = (attended: Attended) => Value;

export interface DecoderInputs {
  /** [N] token ids. */
  ids: Value;
  map: RowMap;
  /** [B,T] position of each place in its row. */
  positions: Value;
  /** [B,T] packed token that each place of keys and values comes from, where rows share some; absent: as `map` says. */
  keys?: Value;
}

export interface DecoderOptions {
  g: GraphBuilder;
  checkpoint: Checkpoint;
  inputs: Omit<DecoderInputs, "ids">;
  /** Positions the rotary tables cover. */
  maxLength: number;
  project: Project;
  attend: Attend;
  /** Rows [M,·] of [N,·] that are wanted behind the model's last layer: behind its attention nothing else is computed. */
  select?: (x: Value) => Value;
  /** Sees the residual stream [N,D] that each layer reads. */
  onLayerInput?: (x: Value) => void;
  /** Sees the input of every group of projections. */
  tap?: (layer: number, input: LayerInput, x: Value) => void;
}

/** Declares the inputs that every program over packed rows has. */
export function declareDecoderInputs(g: GraphBuilder): DecoderInputs {
  return {
    ids: g.input("ids", "int64", ["N"]),
    map: {
      to: g.input("map.to", "int64", ["B", "T"]),
      from: g.input("map.from", "int64", ["N"]),
      valid: g.input("map.valid", "float32", ["B", "T", 1]),
    },
    positions: g.input("positions", "int64", ["B", "T"]),
  };
}

/** Hidden states [N,D] of token ids [N]. */
export function embed(g: GraphBuilder, checkpoint: Checkpoint, ids: Value): Value {
  return g.gather(weightOf(g, checkpoint, embeddingName), ids);
}

/** Layers `first`..`end−1` over x [N,D]. */
export function decoderLayers(options: DecoderOptions, x: Value, first: number, end: number): Value {
  const { config } = options.checkpoint;
  const { g } = options;
  const table = (scale: number): { cos: Value; sin: Value } => {
    const { cos, sin } = rotaryTables(config.rope, config.headSize, options.maxLength, scale);
    const shape = [options.maxLength, config.headSize / 2];
    return { cos: g.constant(cos, shape), sin: g.constant(sin, shape) };
  };
  const rotation = { q: table(config.headSize ** -0.5), k: table(1) };
  let hidden = x;
  for (let layer = first; layer < end; layer++) {
    options.onLayerInput?.(hidden);
    hidden = decoderLayer(options, rotation, hidden, layer);
  }
  return hidden;
}

type Rotation = Record<"q" | "k", { cos: Value; sin: Value }>;

function decoderLayer(options: DecoderOptions, rotation: Rotation, x: Value, layer: number): Value {
  const { g, checkpoint, inputs, project, attend, tap } = options;
  const { heads: H, kvHeads: G, headSize: E, rmsNormEps } = checkpoint.config;
  const rep = H / G;
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
  const [B, T] = inputs.positions.shape;
  const [qRows, kRows, vRows] = apply(attentionInput, "q", "k", "v").map((rows, i) => (inputs.keys && i > 0 ? g.gather(rows, inputs.keys) : g.spreadRows(rows, inputs.map))); // [N,·] → [B,T,·]
  const rotated = (rows: Value, { cos, sin }: Rotation["q"], count: number): Value => g.rotary(rows, inputs.positions, cos, sin, count);
  const q = g.transpose(g.reshape(rotated(qRows, rotation.q, H), [B, T, G, rep, E]), [0, 2, 3, 1, 4]); // → [B,G,rep,T,E]
  const k = g.transpose(g.reshape(rotated(kRows, rotation.k, G), [B, T, G, E]), [0, 2, 3, 1]); // → [B,G,E,T]
  const v = g.transpose(g.reshape(vRows, [B, T, G, E]), [0, 2, 1, 3]); // → [B,G,T,E]
  const mixed = g.reshape(attend({ layer, q: g.reshape(q, [B, G, times(T, rep), E]), k, v }), [B, G, rep, T, E]);
  const merged = g.reshape(g.transpose(mixed, [0, 3, 1, 2, 4]), [B, T, H * E]); // → [B,T,H·E]
  const select = layer === checkpoint.config.layers - 1 && options.select ? options.select : (rows: Value): Value => rows;
  const attentionOutput = select(g.collectRows(merged, inputs.map)); // → [N,H·E], or [M,H·E] in the last layer
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

/** Softmax attention with an additive mask that broadcasts to [B,G,rep·T,S]; no cache. */
export function attendWithin(g: GraphBuilder, mask: Value): Attend {
  return ({ q, k, v }) => g.softmaxMatMul(g.add(g.matmul(q, k), mask), v);
}

export function finalNorm(g: GraphBuilder, checkpoint: Checkpoint, x: Value): Value {
  return g.rmsNorm(x, weightOf(g, checkpoint, finalNormName), checkpoint.config.rmsNormEps);
}

/** Negative log-likelihood [M,1], nats, of targets [M] after hidden states [M,D], and the logits [M,V]. */
export function tokenLoss(g: GraphBuilder, checkpoint: Checkpoint, hidden: Value, targets: Value): { nll: Value; logits: Value } {
  return g.tokenLoss(hidden, weightOf(g, checkpoint, headName(checkpoint.config)), targets);
}
