// A Llama in plain loops and float64: the outside reference for the compiled programs on tiny models.
// In: a checkpoint, token ids and what adapters add. Out: logits at every token, and the input of every projection.
// Source: Llama (arXiv 2302.13971), RoFormer (arXiv 2104.09864), grouped-query attention (arXiv 2305.13245); it shares no
// code with native-models but the reading of tensors.

import { readTensorF32 } from "../../native-models/checkpoint/safetensors.ts";
import type { Checkpoint, RopeConfig } from "../../native-models/checkpoint/types.ts";

type Row = Float64Array<ArrayBuffer>;

/** sign·B·A, A [rank,in] and B [out,rank]. */
export interface NaiveUpdate {
  rank: number;
  a: ArrayLike<number>;
  b: ArrayLike<number>;
  sign: 1 | -1;
}

/** What adapters add, by module ("model.layers.0.mlp.up_proj"). */
export type NaiveUpdates = ReadonlyMap<string, readonly NaiveUpdate[]>;

export interface NaiveLlama {
  /** Logits [V] at each token. `tap` sees each projection's input, token by token. */
  logits(ids: ArrayLike<number>, updates?: NaiveUpdates, tap?: (module: string, x: Row) => void): Row[];
  /** Σ −ln p of the trained tokens of a row. */
  lossSum(row: { ids: ArrayLike<number>; isTrained: ArrayLike<number> }, updates?: NaiveUpdates): number;
}

export function naiveLlama(checkpoint: Checkpoint): NaiveLlama {
  const { config } = checkpoint;
  const { layers, heads: H, kvHeads: G, headSize: E, rmsNormEps, rope } = config;
  const weights = new Map([...checkpoint.tensors.keys()].map((name): [string, Row] => [name, Float64Array.from(readTensorF32(checkpoint, name))]));
  const weight = (name: string): Row => weights.get(`${name}.weight`)!;
  const embedding = weight("model.embed_tokens");
  const head = config.tiedEmbeddings ? embedding : weight("lm_head");
  const frequencies = Array.from({ length: E / 2 }, (_, i) => frequency(rope, i, E));

  const rotate = (x: Row, position: number): Row =>
    x.map((value, at) => {
      const i = at % (E / 2);
      const isFirst = at % E < E / 2;
      const other = x[isFirst ? at + E / 2 : at - E / 2]!;
      const angle = position * frequencies[i]!;
      return value * Math.cos(angle) + (isFirst ? -1 : 1) * other * Math.sin(angle);
    });

  function logits(ids: ArrayLike<number>, updates: NaiveUpdates = new Map(), tap: (module: string, x: Row) => void = () => {}): Row[] {
    const project = (module: string, x: Row): Row => {
      tap(module, x);
      const y = times(weight(module), x);
      for (const { rank, a, b, sign } of updates.get(module) ?? []) {
        const seen = times(a, x);
        for (let i = 0; i < y.length; i++) for (let r = 0; r < rank; r++) y[i]! += sign * b[i * rank + r]! * seen[r]!;
      }
      return y;
    };
    let stream = Array.from(ids as ArrayLike<number>, (id) => embedding.slice(id * config.hidden, (id + 1) * config.hidden));
    for (let layer = 0; layer < layers; layer++) {
      const name = `model.layers.${layer}`;
      const inputs = stream.map((x) => rmsNorm(x, weight(`${name}.input_layernorm`), rmsNormEps));
      const [queries, keys, values] = ["q", "k", "v"].map((letter) => inputs.map((x) => project(`${name}.self_attn.${letter}_proj`, x))) as [Row[], Row[], Row[]];
      const [turnedQueries, turnedKeys] = [queries.map(rotate), keys.map(rotate)];
      stream = stream.map((x, t) => {
        const mixed = new Float64Array(H * E);
        for (let h = 0; h < H; h++) {
          const g = Math.floor(h / (H / G));
          const scores = turnedKeys.slice(0, t + 1).map((key) => dot(turnedQueries[t]!, h * E, key, g * E, E) / Math.sqrt(E));
          softmax(scores).forEach((p, s) => {
            for (let e = 0; e < E; e++) mixed[h * E + e]! += p * values[s]![g * E + e]!;
          });
        }
        return plus(x, project(`${name}.self_attn.o_proj`, mixed));
      });
      stream = stream.map((x) => {
        const input = rmsNorm(x, weight(`${name}.post_attention_layernorm`), rmsNormEps);
        const [gate, up] = [project(`${name}.mlp.gate_proj`, input), project(`${name}.mlp.up_proj`, input)];
        return plus(x, project(`${name}.mlp.down_proj`, gate.map((value, i) => (value / (1 + Math.exp(-value))) * up[i]!)));
      });
    }
    return stream.map((x) => times(head, rmsNorm(x, weight("model.norm"), rmsNormEps)));
  }

  return {
    logits,
    lossSum({ ids, isTrained }, updates) {
      const all = logits(Array.from(ids).slice(0, -1), updates);
      return all.reduce((sum, own, t) => sum - (isTrained[t + 1] ? logSoftmax(own)[ids[t + 1]!]! : 0), 0);
    },
  };
}

export function logSoftmax(logits: ArrayLike<number>): Row {
  const values = Float64Array.from(logits);
  const peak = values.reduce((most, value) => Math.max(most, value), -Infinity);
  const sum = Math.log(values.reduce((total, value) => total + Math.exp(value - peak), 0));
  return values.map((value) => value - peak - sum);
}

function softmax(scores: readonly number[]): Row {
  return logSoftmax(scores).map(Math.exp);
}

function frequency({ theta, llama3 }: RopeConfig, i: number, size: number): number {
  const plain = theta ** ((-2 * i) / size);
  if (llama3 === null) return plain;
  const { factor, lowFreqFactor, highFreqFactor, originalMaxPositions } = llama3;
  const turns = (originalMaxPositions * plain) / (2 * Math.PI); // over the original context
  const share = Math.min(1, Math.max(0, (turns - lowFreqFactor) / (highFreqFactor - lowFreqFactor)));
  return plain * (share + (1 - share) / factor);
}

function rmsNorm(x: Row, gain: Row, epsilon: number): Row {
  const scale = 1 / Math.sqrt(dot(x, 0, x, 0, x.length) / x.length + epsilon);
  return x.map((value, i) => value * scale * gain[i]!);
}

/** M·x with M [rows, x.length]. */
function times(matrix: ArrayLike<number>, x: Row): Row {
  return Float64Array.from({ length: matrix.length / x.length }, (_, row) => dot(matrix, row * x.length, x, 0, x.length));
}

function dot(a: ArrayLike<number>, fromA: number, b: ArrayLike<number>, fromB: number, size: number): number {
  let sum = 0;
  for (let i = 0; i < size; i++) sum += a[fromA + i]! * b[fromB + i]!;
  return sum;
}

function plus(a: Row, b: Row): Row {
  return a.map((value, i) => value + b[i]!);
}
