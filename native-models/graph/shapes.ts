// Shape and dtype rules: what an op's outputs are, or which rule its inputs break. One row per op.

import { blockMapOf } from "./block-map.ts";
import { axisOf, broadcast, formatShape, isSameShape, oneOr, plus, product, times, type Dim, type Shape } from "./dims.ts";
import type { Op, OpAttributes } from "./ops.ts";
import type { Dtype, Value } from "./value.ts";

export interface Typed {
  dtype: Dtype;
  shape: Shape;
}

type ShapeRule<O extends Op> = (inputs: readonly Value[], attributes: OpAttributes[O]) => readonly Typed[];

/** A node whose inputs break the op's rule: a bug in a builder, named by op, inputs and rule. */
export class IllegalNodeError extends Error {
  readonly rule: string;

  constructor(op: string, inputs: readonly Value[], rule: string) {
    const shown = inputs.map((value) => `${value.dtype}${formatShape(value.shape)}`).join(", ");
    super(`${op}(${shown}): ${rule}`);
    this.name = "IllegalNodeError";
    this.rule = rule;
  }
}

function demand(isMet: boolean, op: Op, inputs: readonly Value[], rule: string): void {
  if (!isMet) throw new IllegalNodeError(op, inputs, rule);
}

const isFloat = (value: Value): boolean => ["float32", "float64", "float16", "bfloat16"].includes(value.dtype);
const isInteger = (value: Value): boolean => value.dtype === "int64" || value.dtype === "int32";

function elementwise(op: Op): (inputs: readonly Value[]) => readonly Typed[] {
  return (inputs) => {
    const [a, b] = inputs;
    demand(inputs.length === 2, op, inputs, "takes two inputs");
    demand(a.dtype === b.dtype, op, inputs, "both inputs have one dtype");
    const shape = broadcast(a.shape, b.shape);
    if (!shape) throw new IllegalNodeError(op, inputs, "shapes broadcast (equal, or 1)");
    return [{ dtype: a.dtype, shape }];
  };
}

function unary(op: Op): (inputs: readonly Value[]) => readonly Typed[] {
  return (inputs) => {
    demand(inputs.length === 1 && isFloat(inputs[0]), op, inputs, "takes one floating-point input");
    return [{ dtype: inputs[0].dtype, shape: inputs[0].shape }];
  };
}

function reduced(shape: Shape, axes: readonly number[], keepDims: boolean): Shape {
  const dropped = new Set(axes.map((axis) => axisOf(shape, axis)));
  return keepDims ? shape.map((dim, i) => (dropped.has(i) ? 1 : dim)) : shape.filter((_, i) => !dropped.has(i));
}

function reduction(op: "ReduceSum" | "ReduceMean" | "ReduceMax") {
  return (inputs: readonly Value[], { axes, keepDims }: OpAttributes["ReduceSum"]): readonly Typed[] => {
    const [x] = inputs;
    demand(axes.every((axis) => axisOf(x.shape, axis) >= 0 && axisOf(x.shape, axis) < x.shape.length), op, inputs, `axes ${axes} are inside the rank`);
    return [{ dtype: x.dtype, shape: reduced(x.shape, axes, keepDims) }];
  };
}

export const shapeRules = {
  Add: elementwise("Add"),
  Sub: elementwise("Sub"),
  Mul: elementwise("Mul"),
  Div: elementwise("Div"),
  Min: elementwise("Min"),
  Neg: unary("Neg"),
  Exp: unary("Exp"),
  Log: unary("Log"),
  Sqrt: unary("Sqrt"),
  Sigmoid: unary("Sigmoid"),
  Cast: ([x], { to }) => [{ dtype: to, shape: x.shape }],
  Gemm: (inputs, { transposeA, transposeB }) => {
    const [a, b, c] = inputs;
    demand(a.shape.length === 2 && b.shape.length === 2, "Gemm", inputs, "a and b are matrices");
    const [rows, inner] = transposeA ? [a.shape[1], a.shape[0]] : a.shape;
    const [innerB, columns] = transposeB ? [b.shape[1], b.shape[0]] : b.shape;
    demand(inner === innerB, "Gemm", inputs, `inner sizes agree (${inner} and ${innerB})`);
    demand(a.dtype === b.dtype, "Gemm", inputs, "a and b have one dtype");
    const shape: Shape = [rows, columns];
    const isAdded = (added: Value): boolean => isSameShape(added.shape, shape) || isSameShape(added.shape, [oneOr(rows), columns]);
    if (c) demand(isAdded(c) && c.dtype === a.dtype, "Gemm", inputs, `c is ${formatShape(shape)}, or one row of it`);
    return [{ dtype: a.dtype, shape }];
  },
  QuantisedLinear: (inputs, { bits, blockSize, in: size, out }) => {
    const [x, packed, scales, zeros] = inputs;
    const blocks = Math.ceil(size / blockSize);
    demand(x.shape.length === 2 && x.shape[1] === size && x.dtype === "float32", "QuantisedLinear", inputs, `x is float32 [N,${size}]`);
    demand(packed.dtype === "uint8" && isSameShape(packed.shape, [out, blocks, (blockSize * bits) / 8]), "QuantisedLinear", inputs, `packed is uint8 [${out},${blocks},${(blockSize * bits) / 8}]`);
    demand(scales.dtype === "float32" && isSameShape(scales.shape, [out, blocks]), "QuantisedLinear", inputs, `scales are float32 [${out},${blocks}]`);
    if (zeros) demand(zeros.dtype === "uint8" && isSameShape(zeros.shape, [out, Math.ceil((blocks * bits) / 8)]), "QuantisedLinear", inputs, "one zero point a block");
    return [{ dtype: "float32", shape: [x.shape[0], out] }];
  },
  MatMul: (inputs) => {
    const [a, b] = inputs;
    demand(a.shape.length >= 2 && b.shape.length >= 2, "MatMul", inputs, "both inputs have at least two axes");
    demand(a.shape.at(-1) === b.shape.at(-2), "MatMul", inputs, "inner sizes agree");
    const lead = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2));
    if (!lead) throw new IllegalNodeError("MatMul", inputs, "leading axes broadcast");
    return [{ dtype: a.dtype, shape: [...lead, a.shape.at(-2) as Dim, b.shape.at(-1) as Dim] }];
  },
  Softmax: unary("Softmax"),
  SoftmaxMatMul: (inputs) => {
    const [scores, values] = inputs;
    demand(isSameShape(scores.shape.slice(0, -2), values.shape.slice(0, -2)), "SoftmaxMatMul", inputs, "leading axes are the same");
    demand(scores.shape.at(-1) === values.shape.at(-2), "SoftmaxMatMul", inputs, "inner sizes agree");
    return [
      { dtype: scores.dtype, shape: [...scores.shape.slice(0, -1), values.shape.at(-1) as Dim] },
      { dtype: scores.dtype, shape: scores.shape },
    ];
  },
  CachedAttention: (inputs) => {
    const [q, prefixK, pastK, k, prefixV, pastV, v, mask, parts] = inputs;
    const lead = q.shape.slice(0, 3);
    const isLead = (value: Value): boolean => value.shape.length === 5 && isSameShape(value.shape.slice(0, 3), lead);
    demand([q, pastK, k, pastV, v].every(isLead), "CachedAttention", inputs, "all have one depth, lane and head count");
    demand([prefixK, prefixV].every(({ shape }) => shape.length === 4 && isSameShape(shape.slice(0, 2), lead.slice(1))), "CachedAttention", inputs, "a lane has one prefix");
    const areAlike = [[prefixK, prefixV], [pastK, pastV], [k, v]].every(([keys, values]) => isSameShape(keys.shape, values.shape) && keys.shape.at(-1) === q.shape[4]);
    demand(areAlike, "CachedAttention", inputs, "keys and values are [..,S,E], E that of the queries");
    const seen = plus(plus(prefixK.shape[2], pastK.shape[3]), k.shape[3]);
    demand(isSameShape(mask.shape.slice(-2), [q.shape[3], seen]), "CachedAttention", inputs, "the mask ends in [m,P+C+T]");
    demand(isInteger(parts) && isSameShape(parts.shape, [3]), "CachedAttention", inputs, "parts are three integers");
    return [{ dtype: q.dtype, shape: q.shape }];
  },
  PickColumn: (inputs) => {
    const [x, ids] = inputs;
    demand(x.shape.length === 2 && isInteger(ids) && isSameShape(ids.shape, [x.shape[0], 1]), "PickColumn", inputs, "one integer a row of the matrix");
    return [{ dtype: x.dtype, shape: ids.shape }];
  },
  SwiGlu: (inputs) => {
    const [gate, up] = inputs;
    demand(isSameShape(gate.shape, up.shape) && isFloat(gate), "SwiGlu", inputs, "gate and up have one shape");
    return [{ dtype: gate.dtype, shape: gate.shape }, { dtype: gate.dtype, shape: gate.shape }];
  },
  ReduceSum: reduction("ReduceSum"),
  ReduceMean: reduction("ReduceMean"),
  ReduceMax: reduction("ReduceMax"),
  SumSquares: ([x]) => [{ dtype: x.dtype, shape: [] }],
  ArgMax: ([x]) => [{ dtype: "int64", shape: x.shape.slice(0, -1) }],
  Reshape: (inputs, { shape }) => {
    const [x] = inputs;
    demand(product(x.shape) === product(shape), "Reshape", inputs, `${formatShape(shape)} has as many elements`);
    const unknown = shape.filter((dim, i) => typeof dim === "string" && x.shape[i] !== dim);
    demand(unknown.length <= 1, "Reshape", inputs, `at most one symbol of ${formatShape(shape)} moves`);
    return [{ dtype: x.dtype, shape }];
  },
  Transpose: (inputs, { permutation }) => {
    const [x] = inputs;
    const isPermutation = [...permutation].sort((a, b) => a - b).every((axis, i) => axis === i);
    demand(isPermutation && permutation.length === x.shape.length, "Transpose", inputs, `${permutation} permutes the axes`);
    return [{ dtype: x.dtype, shape: permutation.map((axis) => x.shape[axis]) }];
  },
  Concat: (inputs, { axis }) => {
    const first = inputs[0];
    const at = axisOf(first.shape, axis);
    for (const other of inputs) {
      const fits = other.shape.length === first.shape.length && other.shape.every((dim, i) => i === at || dim === first.shape[i]);
      demand(fits && other.dtype === first.dtype, "Concat", inputs, `all axes but ${at} agree`);
    }
    const joined = inputs.slice(1).reduce<Dim>((sum, value) => plus(sum, value.shape[at]), first.shape[at]);
    return [{ dtype: first.dtype, shape: first.shape.map((dim, i) => (i === at ? joined : dim)) }];
  },
  Slice: (inputs, { axis, start, end }) => {
    const [x] = inputs;
    const at = axisOf(x.shape, axis);
    const size = x.shape[at];
    demand(typeof size === "number" && start >= 0 && end <= size && start < end, "Slice", inputs, `${start}..${end} lies inside axis ${at}`);
    return [{ dtype: x.dtype, shape: x.shape.map((dim, i) => (i === at ? end - start : dim)) }];
  },
  Expand: (inputs, { shape }) => {
    const [x] = inputs;
    const result = broadcast(x.shape, shape);
    demand(result !== null && isSameShape(result, shape), "Expand", inputs, `broadcasts to ${formatShape(shape)}`);
    demand(shape.every((dim) => typeof dim === "number"), "Expand", inputs, "the target shape is known");
    return [{ dtype: x.dtype, shape }];
  },
  Gather: (inputs) => {
    const [table, ids] = inputs;
    demand(isInteger(ids), "Gather", inputs, "ids are integers");
    return [{ dtype: table.dtype, shape: [...ids.shape, ...table.shape.slice(1)] }];
  },
  ScatterAdd: (inputs) => {
    const [table, ids, rows] = inputs;
    demand(isInteger(ids), "ScatterAdd", inputs, "ids are integers");
    demand(isSameShape(rows.shape, [...ids.shape, ...table.shape.slice(1)]), "ScatterAdd", inputs, "one row of the table per id");
    return [{ dtype: table.dtype, shape: table.shape }];
  },
  SpreadRows: (inputs) => {
    const [x, to, from, valid] = inputs;
    demand(from.shape.length === 1 && from.shape[0] === x.shape[0], "SpreadRows", inputs, "`from` has one place per packed row");
    demand(isSameShape(valid.shape, [...to.shape, 1]), "SpreadRows", inputs, "`valid` is `to` with a last axis of 1");
    return [{ dtype: x.dtype, shape: [...to.shape, ...x.shape.slice(1)] }];
  },
  CollectRows: (inputs) => {
    const [x, from, to, valid] = inputs;
    const lead = to.shape.length;
    demand(from.shape.length === 1, "CollectRows", inputs, "`from` is a vector");
    demand(isSameShape(x.shape.slice(0, lead), to.shape), "CollectRows", inputs, "`to` has the padded layout");
    demand(isSameShape(valid.shape, [...to.shape, 1]), "CollectRows", inputs, "`valid` is `to` with a last axis of 1");
    demand(x.shape.length === lead + 1, "CollectRows", inputs, "one axis follows the padded layout");
    return [{ dtype: x.dtype, shape: [from.shape[0], ...x.shape.slice(lead)] }];
  },
  GatherBlocks: (inputs, attributes) => {
    const [x] = inputs;
    const { ids, zero } = blockMapOf(inputs, 1, attributes);
    demand(x.shape.length === 2 && x.shape[0] === attributes.rows, "GatherBlocks", inputs, `x is [${attributes.rows},E]`);
    demand(isSameShape(zero.shape, [1, x.shape[1]]), "GatherBlocks", inputs, "the zero row is [1,E]");
    demand(ids.every(isInteger), "GatherBlocks", inputs, "ids are integers");
    return ids.map(({ shape }) => ({ dtype: x.dtype, shape: [...shape, x.shape[1]] }));
  },
  SumBlocks: (inputs, attributes) => {
    const { ids, zero, sums } = blockMapOf(inputs, attributes.blocks, attributes);
    const width = zero.shape[1];
    const fits = ids.every(({ shape }, i) => isSameShape(inputs[i].shape, [...shape, width]));
    demand(fits, "SumBlocks", inputs, "every block has the shape of its ids and a last axis as wide as the zero row");
    demand(sums.length > 0 && sums.every((sum) => isInteger(sum) && sum.shape.length === 2), "SumBlocks", inputs, "sums are integer matrices");
    return [{ dtype: inputs[0].dtype, shape: [attributes.rows, width] }];
  },
  TokenLoss: (inputs) => {
    const [hidden, head, targets] = inputs;
    demand(hidden.shape.length === 2 && head.shape.length === 2 && hidden.shape[1] === head.shape[1], "TokenLoss", inputs, "hidden is [M,D] and head [V,D]");
    demand(isInteger(targets) && isSameShape(targets.shape, hidden.shape.slice(0, 1)), "TokenLoss", inputs, "one integer target a row of hidden");
    return [
      { dtype: hidden.dtype, shape: [hidden.shape[0], 1] },
      { dtype: hidden.dtype, shape: [hidden.shape[0], head.shape[0]] },
    ];
  },
  RmsNorm: (inputs) => {
    const [x, gain] = inputs;
    demand(isSameShape(gain.shape, x.shape.slice(-1)), "RmsNorm", inputs, "gain has the last axis");
    return [
      { dtype: x.dtype, shape: x.shape },
      { dtype: x.dtype, shape: [...x.shape.slice(0, -1), 1] },
    ];
  },
  Rotary: (inputs, { heads }) => {
    const [x, positions, cos, sin] = inputs;
    const [rows, size] = x.shape.length === 4 ? [[x.shape[0], x.shape[2]], times(x.shape[3], x.shape[1] as number)] : [x.shape.slice(0, 2), x.shape[2]];
    demand(x.shape.length >= 3 && isSameShape(positions.shape, rows), "Rotary", inputs, "x is [B,T,H·E] or [B,H,T,E], positions [B,T]");
    demand(isSameShape(cos.shape, sin.shape) && cos.shape.length === 2, "Rotary", inputs, "cos and sin are [P,E/2]");
    demand(size === (cos.shape[1] as number) * 2 * heads, "Rotary", inputs, `x has ${heads} heads of ${cos.shape[1]}·2`);
    return [{ dtype: x.dtype, shape: x.shape }];
  },
} satisfies { [O in Op]: ShapeRule<O> };
