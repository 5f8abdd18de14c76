// The gradient program: one micro-batch forward and backward.
// In: packed rows, trained positions and their targets, the adapters. Out: the micro-batch's share of the window's
// loss, and one gradient per trainable. Logits exist at trained positions only.

import type { Checkpoint } from "../checkpoint/types.ts";
import { commonPrefix } from "../data/common-prefix.ts";
import { backward } from "../graph/backward.ts";
import { GraphBuilder } from "../graph/builder.ts";
import { emitOnnx, type OnnxProgram } from "../graph/emit-onnx.ts";
import { optimize } from "../graph/passes/optimize.ts";
import { recompute, type Keeps } from "../graph/passes/recompute.ts";
import type { Graph, GraphNode, Value } from "../graph/value.ts";
import { f32, i64, type TensorData } from "../runtime/session.ts";
import type { AdapterKind } from "./adapters.ts";
import { blockRows, type BlockHeads } from "./block-feeds.ts";
import { rowLoss } from "./row-loss.ts";

export interface TensorLayout {
  name: string;
  shape: readonly [number, number];
}

export interface TrainGraph {
  graph: Graph;
  /** What feeds are made for. */
  heads: BlockHeads;
  trainable: readonly TensorLayout[];
  fixed: readonly TensorLayout[];
}

export type TrainProgram = Omit<TrainGraph, "graph"> & { program: OnnxProgram };

/**
 * What the backward pass computes again instead of holding: "none"; "cheap": norms and gates, about 2 % of the time;
 * "scores": attention's scores and probabilities too, which grow with the square of the length, about 5 %; "layer": all
 * of a layer from its input, one more forward pass.
 */
export type Recomputed = "none" | "cheap" | "scores" | "layer";

export interface TrainProgramOptions {
  rank: number;
  kind: AdapterKind;
  /** Default "cheap". */
  recomputed?: Recomputed;
  /** Longest row in tokens. */
  maxLength: number;
}

export function buildTrainProgram(checkpoint: Checkpoint, options: TrainProgramOptions): TrainProgram {
  const { graph, ...layouts } = buildTrainGraph(checkpoint, options);
  return { program: emitOnnx(optimize(graph)), ...layouts };
}

/** The graph before the passes. */
export function buildTrainGraph(checkpoint: Checkpoint, { rank, kind, maxLength, recomputed = "cheap" }: TrainProgramOptions): TrainGraph {
  const g = new GraphBuilder();
  const layerInputs = new Set<number>();
  const { loss, hidden, adapters } = rowLoss(g, checkpoint, { rank, kind, maxLength, onLayerInput: (x) => void layerInputs.add(x.node.id) });
  const firstBackward = g.graph().nodes.length;
  const lastLayer = hidden.node.id;
  const gradients = backward(g, loss, adapters.trainable.map(({ value }) => value));

  g.output("loss", loss);
  gradients.forEach((gradient, i) => g.output(gradientName(adapters.trainable[i].name), gradient));
  const layout = (list: readonly TensorLayout[]): TensorLayout[] => list.map(({ name, shape }) => ({ name, shape }));
  const keeps: Record<Recomputed, Keeps> = {
    none: () => true,
    cheap: (value) => !isCheap(value),
    scores: (value) => !isCheap(value) && !isScores(value),
    // Behind the last layer only trained positions are left: nothing worth computing twice.
    layer: ({ node }) => layerInputs.has(node.id) || node.id >= lastLayer || readsWeightsOnly(node),
  };
  return { graph: recompute(g.graph(), firstBackward, keeps[recomputed]), heads: { heads: checkpoint.config.heads, kvHeads: checkpoint.config.kvHeads }, trainable: layout(adapters.trainable), fixed: layout(adapters.fixed) };
}

/** Norms and gates. */
function isCheap({ node: { source } }: Value): boolean {
  return source.kind === "op" && (source.op === "RmsNorm" || source.op === "SwiGlu");
}

/** What attention holds of size [B,G,rep·T,T]: scores before and after the mask, and probabilities. */
function isScores({ node: { source }, index, shape }: Value): boolean {
  if (source.kind !== "op") return false;
  if (source.op === "SoftmaxMatMul") return index === 1;
  return shape.length === 4 && (source.op === "MatMul" || source.op === "Add");
}

/** A weight's cast to float32 is done once, when the program is loaded. */
function readsWeightsOnly({ inputs }: GraphNode): boolean {
  return inputs.every(({ node }) => node.source.kind === "weight" || node.source.kind === "constant");
}

export function gradientName(trainable: string): string {
  return `grad.${trainable}`;
}

export interface TrainRow {
  ids: ArrayLike<number>;
  /** 1 where the token is a target. */
  isTrained: ArrayLike<number>;
}

/** Targets of a row: token t is predicted from t−1, so the first can not be one. */
export function countTargets({ ids, isTrained }: TrainRow): number {
  let count = 0;
  for (let t = 1; t < ids.length; t++) count += isTrained[t] ? 1 : 0;
  return count;
}

/** Tokens that all rows of a micro-batch begin with and that are computed once. */
export function sharedTokens(rows: readonly TrainRow[]): number {
  return Math.max(0, Math.min(commonPrefix(rows.map(({ ids }) => ids)), ...rows.map(firstPrediction)));
}

/** Place that predicts the first target, else the last that is computed: a shared place could predict for one row only. */
function firstPrediction({ ids, isTrained }: TrainRow): number {
  for (let t = 1; t < ids.length; t++) if (isTrained[t]) return t - 1;
  return ids.length - 2;
}

/** Feeds of one micro-batch. `windowTargets`: trained tokens of the whole optimizer step, which the loss divides by. */
export function trainFeeds(rows: readonly TrainRow[], windowTargets: number, heads: BlockHeads): { feeds: Record<string, TensorData>; tokens: number } {
  // The last token of a row predicts nothing, so it is not computed.
  const computed = rows.map(({ ids }) => Array.from(ids).slice(0, -1));
  const packed = blockRows(computed, sharedTokens(rows), heads);
  const from: number[] = [];
  const targets: number[] = [];
  rows.forEach(({ ids, isTrained }, b) => {
    for (let t = 1; t < ids.length; t++) {
      if (!isTrained[t]) continue;
      from.push(packed.starts[b] + t - 1);
      targets.push(ids[t]);
    }
  });
  const N = packed.tokens;
  const M = from.length;
  const to = new BigInt64Array(N);
  const valid = new Float32Array(N);
  from.forEach((place, m) => {
    to[place] = BigInt(m);
    valid[place] = 1;
  });
  return {
    tokens: rows.reduce((n, { ids }) => n + ids.length, 0),
    feeds: {
      ...packed.feeds,
      "picked.from": i64(from, M),
      "picked.to": i64(to, N),
      "picked.valid": f32(valid, N, 1),
      targets: i64(targets, M),
      lossWeight: f32(new Float32Array(M).fill(1 / windowTargets), M, 1),
    },
  };
}
