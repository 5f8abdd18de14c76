// Builds graphs. Every call adds one node after its shape rule has passed.
// In: program files (native-models/programs) and the VJP rules. Out: a Graph for the passes and the ONNX writer.

import { blockAttributes, blockInputs, type BlockMap } from "./block-map.ts";
import { axisOf, isSameShape, type Dim, type Shape } from "./dims.ts";
import type { Attributes, Op, OpAttributes } from "./ops.ts";
import { shapeRules, type Typed } from "./shapes.ts";
import type { ConstantData, Dtype, ExternalData, Graph, GraphNode, GraphOutput, NodeKind, Value } from "./value.ts";

/** Index maps between packed rows [N] and a padded layout [lead..]; see SpreadRows and CollectRows. */
export interface RowMap {
  /** [lead..] int64: the packed row of each place; 0 where the place is padding. */
  to: Value;
  /** [N] int64: the flat place of each packed row. */
  from: Value;
  /** [lead..,1] float32: 1 where a packed row lies, 0 at padding. */
  valid: Value;
}

export interface KeysAndValues {
  k: Value;
  v: Value;
}

export class GraphBuilder {
  readonly #nodes: GraphNode[] = [];
  readonly #outputs: GraphOutput[] = [];
  #nextValue = 0;

  // ── leaves ─────────────────────────────────────────────────────────────────────────────────────────────────────

  input(name: string, dtype: Dtype, shape: Shape): Value {
    return this.#leaf({ kind: "input", name }, { dtype, shape });
  }

  constant(data: ConstantData, shape: readonly number[]): Value {
    return this.#leaf({ kind: "constant", data }, { dtype: dtypeOf(data), shape });
  }

  scalar(value: number, like: Dtype = "float32"): Value {
    return this.constant(like === "float64" ? Float64Array.of(value) : Float32Array.of(value), []);
  }

  /** A tensor that stays in the user's file. */
  weight(name: string, dtype: Dtype, shape: readonly number[], external: ExternalData): Value {
    return this.#leaf({ kind: "weight", name, external }, { dtype, shape });
  }

  // ── arithmetic ─────────────────────────────────────────────────────────────────────────────────────────────────

  add(a: Value, b: Value): Value { return this.#one("Add", [a, b], {}); }
  sub(a: Value, b: Value): Value { return this.#one("Sub", [a, b], {}); }
  mul(a: Value, b: Value): Value { return this.#one("Mul", [a, b], {}); }
  div(a: Value, b: Value): Value { return this.#one("Div", [a, b], {}); }
  min(a: Value, b: Value): Value { return this.#one("Min", [a, b], {}); }
  neg(x: Value): Value { return this.#one("Neg", [x], {}); }
  exp(x: Value): Value { return this.#one("Exp", [x], {}); }
  log(x: Value): Value { return this.#one("Log", [x], {}); }
  sqrt(x: Value): Value { return this.#one("Sqrt", [x], {}); }
  sigmoid(x: Value): Value { return this.#one("Sigmoid", [x], {}); }
  square(x: Value): Value { return this.mul(x, x); }
  scale(x: Value, factor: number): Value { return factor === 1 ? x : this.mul(x, this.scalar(factor, x.dtype)); }
  cast(x: Value, to: OpAttributes["Cast"]["to"]): Value { return x.dtype === to ? x : this.#one("Cast", [x], { to }); }

  // ── products ───────────────────────────────────────────────────────────────────────────────────────────────────

  gemm(a: Value, b: Value, options: { transposeA?: boolean; transposeB?: boolean; plus?: Value } = {}): Value {
    const { transposeA = false, transposeB = false, plus } = options;
    return this.#one("Gemm", plus ? [a, b, plus] : [a, b], { transposeA, transposeB });
  }

  /** x [N,in] · wᵀ, w [out,in] → [N,out]. */
  linear(x: Value, weight: Value, plus?: Value): Value { return this.gemm(x, weight, { transposeB: true, plus }); }

  /** x [N,in] · wᵀ with w [out,in] in blocks of integers → [N,out]. */
  quantisedLinear(x: Value, weight: { packed: Value; scales: Value; zeros: Value | null }, attributes: OpAttributes["QuantisedLinear"]): Value {
    const { packed, scales, zeros } = weight;
    return this.#one("QuantisedLinear", zeros ? [x, packed, scales, zeros] : [x, packed, scales], attributes);
  }

  matmul(a: Value, b: Value): Value { return this.#one("MatMul", [a, b], {}); }

  // ── reductions over axes ───────────────────────────────────────────────────────────────────────────────────────

  /** softmax(scores)·values. */
  softmaxMatMul(scores: Value, values: Value): Value { return this.#one("SoftmaxMatMul", [scores, values], {}); }
  cachedAttention(q: Value, prefix: KeysAndValues, past: KeysAndValues, own: KeysAndValues, mask: Value, parts: Value): Value {
    return this.#one("CachedAttention", [q, prefix.k, past.k, own.k, prefix.v, past.v, own.v, mask, parts], {});
  }
  swiGlu(gate: Value, up: Value): Value { return this.op("SwiGlu", [gate, up], {})[0]; }
  softmax(x: Value): Value { return this.#one("Softmax", [x], {}); }
  reduceSum(x: Value, axes: readonly number[], keepDims = false): Value { return this.#one("ReduceSum", [x], { axes, keepDims }); }
  reduceMean(x: Value, axes: readonly number[], keepDims = false): Value { return this.#one("ReduceMean", [x], { axes, keepDims }); }
  reduceMax(x: Value, axes: readonly number[], keepDims = false): Value { return this.#one("ReduceMax", [x], { axes, keepDims }); }
  sumLast(x: Value): Value { return this.reduceSum(x, [-1], true); }
  sumSquares(x: Value): Value { return this.#one("SumSquares", [x], {}); }
  argMax(x: Value): Value { return this.#one("ArgMax", [x], {}); }

  /** log Σ exp over the last axis, kept as 1. */
  logSumExp(x: Value): Value {
    const peak = this.reduceMax(x, [-1], true);
    return this.add(this.log(this.sumLast(this.exp(this.sub(x, peak)))), peak);
  }

  // ── layout ─────────────────────────────────────────────────────────────────────────────────────────────────────

  reshape(x: Value, shape: Shape): Value { return isSameShape(x.shape, shape) ? x : this.#one("Reshape", [x], { shape }); }
  transpose(x: Value, permutation: readonly number[]): Value { return this.#one("Transpose", [x], { permutation }); }
  swapLast(x: Value): Value {
    const rank = x.shape.length;
    return this.transpose(x, [...Array(rank - 2).keys(), rank - 1, rank - 2]);
  }
  concat(parts: readonly Value[], axis: number): Value { return parts.length === 1 ? parts[0] : this.#one("Concat", parts, { axis: axisOf(parts[0].shape, axis) }); }
  slice(x: Value, axis: number, start: number, end: number): Value { return this.#one("Slice", [x], { axis: axisOf(x.shape, axis), start, end }); }
  expand(x: Value, shape: Shape): Value { return isSameShape(x.shape, shape) ? x : this.#one("Expand", [x], { shape }); }

  gather(table: Value, ids: Value): Value { return this.#one("Gather", [table, ids], {}); }
  pickColumn(x: Value, ids: Value): Value { return this.#one("PickColumn", [x, ids], {}); }
  scatterAdd(table: Value, ids: Value, rows: Value): Value { return this.#one("ScatterAdd", [table, ids, rows], {}); }

  /** Packed [N,..] → padded [lead..,..]. What stands at padding is unspecified: nothing that is kept may read it. */
  spreadRows(x: Value, map: RowMap): Value { return this.#one("SpreadRows", [x, map.to, map.from, map.valid], {}); }
  /** Padded [lead..,D] → packed [N,D]. */
  collectRows(x: Value, map: RowMap): Value { return this.#one("CollectRows", [x, map.from, map.to, map.valid], {}); }

  /** Rows [rows,E] as the blocks of a map. */
  gatherBlocks(x: Value, map: BlockMap): readonly Value[] { return this.op("GatherBlocks", [x, ...blockInputs(map)], blockAttributes(map)); }
  /** Blocks of a map as rows [rows,E], each the sum of its places. */
  sumBlocks(blocks: readonly Value[], map: BlockMap): Value { return this.#one("SumBlocks", [...blocks, ...blockInputs(map)], blockAttributes(map)); }

  // ── blocks ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Negative log-likelihood [M,1], nats, of targets [M], and the log-probabilities [M,V] it comes from. */
  tokenLoss(hidden: Value, head: Value, targets: Value): { nll: Value; logProbabilities: Value } {
    const [nll, logProbabilities] = this.op("TokenLoss", [hidden, head, targets], {});
    return { nll, logProbabilities };
  }
  rmsNorm(x: Value, gain: Value, epsilon: number): Value { return this.op("RmsNorm", [x, gain], { epsilon })[0]; }
  rotary(x: Value, positions: Value, cos: Value, sin: Value, heads: number): Value { return this.#one("Rotary", [x, positions, cos, sin], { heads }); }

  zeros(shape: readonly Dim[]): Value { return this.expand(this.scalar(0), shape); }

  // ── making graphs ──────────────────────────────────────────────────────────────────────────────────────────────

  output(name: string, value: Value): void { this.#outputs.push({ name, value }); }

  op<O extends Op>(op: O, inputs: readonly Value[], attributes: OpAttributes[O]): readonly Value[] {
    const rule = shapeRules[op] as (inputs: readonly Value[], attributes: Attributes) => readonly Typed[];
    return this.#node({ kind: "op", op, attributes }, inputs, rule(inputs, attributes));
  }

  graph(): Graph { return { nodes: [...this.#nodes], outputs: [...this.#outputs] }; }

  #one<O extends Op>(op: O, inputs: readonly Value[], attributes: OpAttributes[O]): Value { return this.op(op, inputs, attributes)[0]; }

  #leaf(source: NodeKind, typed: Typed): Value { return this.#node(source, [], [typed])[0]; }

  #node(source: NodeKind, inputs: readonly Value[], types: readonly Typed[]): readonly Value[] {
    const outputs: Value[] = [];
    const node: GraphNode = { id: this.#nodes.length, source, inputs, outputs };
    types.forEach((typed, index) => outputs.push({ id: this.#nextValue++, node, index, ...typed }));
    this.#nodes.push(node);
    return outputs;
  }
}

function dtypeOf(data: ConstantData): Dtype {
  if (data instanceof Float32Array) return "float32";
  if (data instanceof Float64Array) return "float64";
  if (data instanceof Uint8Array) return "uint8";
  return data instanceof BigInt64Array ? "int64" : "int32";
}
