// One case per op: a function of random inputs built with it. `differentiable` names inputs whose cotangent is checked.

import type { BlockMap } from "../../native-models/graph/block-map.ts";
import { GraphBuilder } from "../../native-models/graph/builder.ts";
import type { Op } from "../../native-models/graph/ops.ts";
import type { Value } from "../../native-models/graph/value.ts";
import { roundTo4Plainly } from "../support/plain-rounding.ts";
import type { Elements } from "../../native-models/runtime/session.ts";

export interface Input {
  shape: number[];
  /** Smallest and largest random value; integers are given instead. */
  range?: [number, number];
  integers?: number[];
  isChecked?: boolean;
  values?: number[];
}

export interface VjpCase {
  op: Op;
  name: string;
  inputs: Record<string, Input>;
  build: (g: GraphBuilder, x: Record<string, Value>) => Value;
}

const x23: Input = { shape: [2, 3], isChecked: true };
const positive: Input = { shape: [2, 3], range: [0.5, 2], isChecked: true };

/** Three packed rows in a padded 2×2 layout whose last place is padding. */
const rowMap = {
  to: { shape: [2, 2], integers: [0, 1, 2, 0] },
  from: { shape: [3], integers: [0, 1, 2] },
  valid: { shape: [2, 2, 1], values: [1, 1, 1, 0] },
} satisfies Record<string, Input>;

/** Three rows in a block of 2×2 places, the last of them padding, and one of 1×2; rows 1 and 2 stand in both. */
const blockMap = {
  ids0: { shape: [2, 2], integers: [0, 1, 2, 0] },
  ids1: { shape: [1, 2], integers: [1, 2] },
  valid0: { shape: [2, 2, 1], values: [1, 1, 1, 0] },
  valid1: { shape: [1, 2, 1], values: [1, 1] },
  first: { shape: [1, 1], integers: [0] },
  rest: { shape: [2, 2], integers: [1, 2, 4, 5] },
} satisfies Record<string, Input>;

function mapOf(g: GraphBuilder, { ids0, ids1, valid0, valid1, first, rest }: Record<string, Value>): BlockMap {
  return { rows: 3, ids: [ids0, ids1], valid: [valid0, valid1], sums: [first, rest], zero: g.constant(new Float32Array(2), [1, 2]) };
}

export const vjpCases: VjpCase[] = [
  { op: "Add", name: "Add with broadcast", inputs: { a: x23, b: { shape: [3], isChecked: true } }, build: (g, { a, b }) => g.add(a, b) },
  { op: "Sub", name: "Sub with broadcast", inputs: { a: { shape: [2, 1], isChecked: true }, b: x23 }, build: (g, { a, b }) => g.sub(a, b) },
  { op: "Mul", name: "Mul with broadcast on both sides", inputs: { a: { shape: [2, 1], isChecked: true }, b: { shape: [1, 3], isChecked: true } }, build: (g, { a, b }) => g.mul(a, b) },
  { op: "Div", name: "Div", inputs: { a: x23, b: positive }, build: (g, { a, b }) => g.div(a, b) },
  { op: "Min", name: "Min as a clipping factor, away from any gradient", inputs: { a: x23, b: { shape: [] } }, build: (g, { a, b }) => g.mul(a, g.min(b, g.scalar(0.1))) },
  { op: "Neg", name: "Neg", inputs: { a: x23 }, build: (g, { a }) => g.neg(a) },
  { op: "Exp", name: "Exp", inputs: { a: x23 }, build: (g, { a }) => g.exp(a) },
  { op: "Log", name: "Log", inputs: { a: positive }, build: (g, { a }) => g.log(a) },
  { op: "Sqrt", name: "Sqrt", inputs: { a: positive }, build: (g, { a }) => g.sqrt(a) },
  { op: "Sigmoid", name: "Sigmoid", inputs: { a: x23 }, build: (g, { a }) => g.sigmoid(a) },
  { op: "Cast", name: "Cast to float64 and back", inputs: { a: x23 }, build: (g, { a }) => g.cast(g.square(g.cast(a, "float64")), "float32") },
  ...[false, true].flatMap((transposeA) =>
    [false, true].map(
      (transposeB): VjpCase => ({
        op: "Gemm",
        name: `Gemm, transposeA ${transposeA}, transposeB ${transposeB}`,
        inputs: {
          a: { shape: transposeA ? [4, 2] : [2, 4], isChecked: true },
          b: { shape: transposeB ? [3, 4] : [4, 3], isChecked: true },
          c: x23,
        },
        build: (g, { a, b, c }) => g.gemm(a, b, { transposeA, transposeB, plus: c }),
      }),
    ),
  ),
  { op: "MatMul", name: "MatMul with a broadcast batch axis", inputs: { a: { shape: [2, 3, 2, 4], isChecked: true }, b: { shape: [3, 4, 5], isChecked: true } }, build: (g, { a, b }) => g.matmul(a, b) },
  { op: "SoftmaxMatMul", name: "SoftmaxMatMul", inputs: { a: { shape: [2, 3, 4], isChecked: true }, v: { shape: [2, 4, 5], isChecked: true } }, build: (g, { a, v }) => g.softmaxMatMul(a, v) },
  {
    op: "CachedAttention",
    name: "CachedAttention, whose cache carries no gradient",
    inputs: {
      q: { shape: [2, 2, 1, 3, 4] }, prefixK: { shape: [2, 1, 6, 4] }, prefixV: { shape: [2, 1, 6, 4] },
      pastK: { shape: [2, 2, 1, 5, 4] }, k: { shape: [2, 2, 1, 2, 4] }, pastV: { shape: [2, 2, 1, 5, 4] }, v: { shape: [2, 2, 1, 2, 4] },
      mask: { shape: [2, 2, 1, 3, 13] }, parts: { shape: [3], integers: [6, 5, 2] },
    },
    build: (g, { q, prefixK, prefixV, pastK, pastV, k, v, mask, parts }) => g.cachedAttention(q, { k: prefixK, v: prefixV }, { k: pastK, v: pastV }, { k, v }, mask, parts),
  },
  { op: "PickColumn", name: "PickColumn, without a gradient", inputs: { a: { shape: [3, 4] }, ids: { shape: [3, 1], integers: [2, 0, 3] } }, build: (g, { a, ids }) => g.pickColumn(a, ids) },
  {
    op: "QuantisedLinear",
    name: "QuantisedLinear, 4 bits with zero points",
    inputs: { a: { shape: [3, 32] } },
    build: (g, { a }) => {
      const { packed, scales, zeros } = roundTo4Plainly(Float32Array.from({ length: 5 * 32 }, (_, i) => Math.sin(i)), 32);
      const weight = { packed: g.constant(packed, [5, 1, 16]), scales: g.constant(scales, [5, 1]), zeros: g.constant(zeros as Uint8Array, [5, 1]) };
      return g.quantisedLinear(a, weight, { bits: 4, blockSize: 32, in: 32, out: 5 });
    },
  },
  { op: "SwiGlu", name: "SwiGlu", inputs: { gate: { shape: [3, 4], range: [-3, 3], isChecked: true }, up: { shape: [3, 4], isChecked: true } }, build: (g, { gate, up }) => g.swiGlu(gate, up) },
  { op: "Softmax", name: "Softmax", inputs: { a: { shape: [2, 5], isChecked: true } }, build: (g, { a }) => g.softmax(a) },
  { op: "ReduceSum", name: "ReduceSum, axis dropped", inputs: { a: { shape: [2, 3, 2], isChecked: true } }, build: (g, { a }) => g.square(g.reduceSum(a, [1])) },
  { op: "ReduceMean", name: "ReduceMean, axis kept", inputs: { a: { shape: [2, 3, 2], isChecked: true } }, build: (g, { a }) => g.square(g.reduceMean(a, [-1], true)) },
  { op: "ReduceMax", name: "ReduceMax inside log Σ exp", inputs: { a: { shape: [2, 5], range: [-4, 4], isChecked: true } }, build: (g, { a }) => g.logSumExp(a) },
  { op: "SumSquares", name: "SumSquares", inputs: { a: x23 }, build: (g, { a }) => g.sumSquares(a) },
  { op: "ArgMax", name: "ArgMax as a choice of rows, away from any gradient", inputs: { a: { shape: [2, 3] }, t: { shape: [3, 4], isChecked: true } }, build: (g, { a, t }) => g.gather(t, g.argMax(a)) },
  { op: "Reshape", name: "Reshape", inputs: { a: x23 }, build: (g, { a }) => g.square(g.reshape(a, [3, 2])) },
  { op: "Transpose", name: "Transpose of four axes", inputs: { a: { shape: [2, 3, 1, 4], isChecked: true } }, build: (g, { a }) => g.transpose(a, [0, 2, 3, 1]) },
  { op: "Concat", name: "Concat", inputs: { a: x23, b: { shape: [2, 2], isChecked: true } }, build: (g, { a, b }) => g.square(g.concat([a, b], 1)) },
  { op: "Slice", name: "Slice from the middle", inputs: { a: { shape: [2, 5], isChecked: true } }, build: (g, { a }) => g.square(g.slice(a, 1, 1, 4)) },
  { op: "Expand", name: "Expand", inputs: { a: { shape: [2, 1], isChecked: true } }, build: (g, { a }) => g.expand(a, [3, 2, 4]) },
  { op: "Gather", name: "Gather with a repeated id", inputs: { t: { shape: [4, 3], isChecked: true }, ids: { shape: [2, 2], integers: [0, 3, 3, 1] } }, build: (g, { t, ids }) => g.gather(t, ids) },
  { op: "ScatterAdd", name: "ScatterAdd with a repeated id", inputs: { t: { shape: [4, 3], isChecked: true }, ids: { shape: [3], integers: [2, 2, 0] }, rows: { shape: [3, 3], isChecked: true } }, build: (g, { t, ids, rows }) => g.square(g.scatterAdd(t, ids, rows)) },
  { op: "SpreadRows", name: "SpreadRows, padding not read", inputs: { a: { shape: [3, 4], isChecked: true }, ...rowMap }, build: (g, { a, to, from, valid }) => g.mul(g.spreadRows(a, { to, from, valid }), valid) },
  { op: "CollectRows", name: "CollectRows", inputs: { a: { shape: [2, 2, 4], isChecked: true }, ...rowMap }, build: (g, { a, to, from, valid }) => g.square(g.collectRows(a, { to, from, valid })) },
  {
    op: "GatherBlocks",
    name: "GatherBlocks, a row in two blocks and padding not read",
    inputs: { a: { shape: [3, 2], isChecked: true }, ...blockMap },
    build: (g, { a, ...map }) => {
      const [first, second] = g.gatherBlocks(a, mapOf(g, map));
      return g.concat([g.reshape(g.mul(g.square(first), map.valid0), [4, 2]), g.reshape(g.mul(second, map.valid1), [2, 2])], 0);
    },
  },
  {
    op: "SumBlocks",
    name: "SumBlocks, a row of two places",
    inputs: { a: { shape: [2, 2, 2], isChecked: true }, b: { shape: [1, 2, 2], isChecked: true }, ...blockMap },
    build: (g, { a, b, ...map }) => g.square(g.sumBlocks([a, b], mapOf(g, map))),
  },
  { op: "TokenLoss", name: "TokenLoss with a repeated target", inputs: { h: { shape: [3, 4], isChecked: true }, head: { shape: [5, 4], isChecked: true }, targets: { shape: [3], integers: [4, 0, 4] } }, build: (g, { h, head, targets }) => g.tokenLoss(h, head, targets).nll },
  { op: "RmsNorm", name: "RmsNorm", inputs: { a: { shape: [3, 6], isChecked: true }, gain: { shape: [6], range: [0.5, 1.5], isChecked: true } }, build: (g, { a, gain }) => g.rmsNorm(a, gain, 1e-5) },
  { op: "Rotary", name: "Rotary", inputs: { a: { shape: [1, 3, 8], isChecked: true }, positions: { shape: [1, 3], integers: [0, 2, 1] }, cos: { shape: [3, 2] }, sin: { shape: [3, 2] } }, build: (g, { a, positions, cos, sin }) => g.rotary(a, positions, cos, sin, 2) },
  { op: "Rotary", name: "Rotary of heads that stand apart", inputs: { a: { shape: [1, 2, 3, 4], isChecked: true }, positions: { shape: [1, 3], integers: [0, 2, 1] }, cos: { shape: [3, 2] }, sin: { shape: [3, 2] } }, build: (g, { a, positions, cos, sin }) => g.rotary(a, positions, cos, sin, 2) },
];

export function randomElements(input: Input, random: () => number): Elements {
  if (input.integers) return BigInt64Array.from(input.integers, BigInt);
  if (input.values) return Float32Array.from(input.values);
  const [low, high] = input.range ?? [-1, 1];
  const size = input.shape.reduce((n, dim) => n * dim, 1);
  return Float32Array.from({ length: size }, () => low + (high - low) * random());
}
