// Vector–Jacobian products: for each op, the cotangent of every input from the cotangent of its output.
// One row per op, the maths above it. A row gives one entry per input: a thunk that builds the cotangent, or null
// where none exists. backward.ts alone walks the graph, sums, and calls only the thunks on a path to a trainable.
// Source: Griewank & Walther, "Evaluating Derivatives" (2008), ch. 3; the derivations stand beside each rule.

import { blockMapOf } from "./block-map.ts";
import type { GraphBuilder } from "./builder.ts";
import { axisOf, type Dim, type Shape } from "./dims.ts";
import type { Op, OpAttributes } from "./ops.ts";
import type { Value } from "./value.ts";

interface RuleArguments<O extends Op> {
  g: GraphBuilder;
  /** Inputs. */
  x: readonly Value[];
  /** Outputs. */
  y: readonly Value[];
  /** Cotangent of output 0. */
  dy: Value;
  /** Cotangents of all outputs, for ops whose outputs all carry one. */
  dys: readonly (Value | undefined)[];
  attributes: OpAttributes[O];
}

export type Cotangent = (() => Value) | null;
type Rule<O extends Op> = (rule: RuleArguments<O>) => readonly Cotangent[];

/** Sums a cotangent over the axes along which its value was broadcast. */
function sumTo(g: GraphBuilder, value: Value, shape: Shape): Value {
  const extra = value.shape.length - shape.length;
  const lead = [...Array(extra).keys()];
  const stretched = shape.flatMap((dim, i) => (dim === 1 && value.shape[extra + i] !== 1 ? [extra + i] : []));
  const axes = [...lead, ...stretched];
  if (axes.length === 0) return value;
  if (lead.length === 0) return g.reduceSum(value, axes, true);
  const summed = g.reduceSum(value, axes, true);
  return g.reshape(summed, shape);
}

/** Restores axes that a reduction dropped, so that the cotangent broadcasts against the input. */
function keepAxes(g: GraphBuilder, value: Value, input: Shape, axes: readonly number[], keepDims: boolean): Value {
  if (keepDims) return value;
  const dropped = new Set(axes.map((axis) => axisOf(input, axis)));
  return g.reshape(value, input.map((dim, i): Dim => (dropped.has(i) ? 1 : dim)));
}

/** Stands where a gradient is asked of an op that is made for answering only. */
const answersOnly: Cotangent = () => {
  throw new Error("backward: no gradient passes an op that is for answering only");
};

export const vjp = {
  // y = a + b                              da = dy                db = dy
  Add: ({ g, x: [a, b], dy }) => [() => sumTo(g, dy, a.shape), () => sumTo(g, dy, b.shape)],
  // y = a − b                              da = dy                db = −dy
  Sub: ({ g, x: [a, b], dy }) => [() => sumTo(g, dy, a.shape), () => sumTo(g, g.neg(dy), b.shape)],
  // y = a ⊙ b                              da = dy ⊙ b            db = dy ⊙ a
  Mul: ({ g, x: [a, b], dy }) => [() => sumTo(g, g.mul(dy, b), a.shape), () => sumTo(g, g.mul(dy, a), b.shape)],
  // y = a / b                              da = dy / b            db = −dy ⊙ y / b
  Div: ({ g, x: [a, b], y: [y], dy }) => [
    () => sumTo(g, g.div(dy, b), a.shape),
    () => sumTo(g, g.neg(g.div(g.mul(dy, y), b)), b.shape),
  ],
  // y = min(a, b): used for clipping factors only, which no gradient passes
  Min: () => [null, null],
  // y = −x                                 dx = −dy
  Neg: ({ g, dy }) => [() => g.neg(dy)],
  // y = eˣ                                 dx = dy ⊙ y
  Exp: ({ g, y: [y], dy }) => [() => g.mul(dy, y)],
  // y = ln x                               dx = dy / x
  Log: ({ g, x: [x], dy }) => [() => g.div(dy, x)],
  // y = √x                                 dx = dy / 2y
  Sqrt: ({ g, y: [y], dy }) => [() => g.div(g.scale(dy, 0.5), y)],
  // y = σ(x)                               dx = dy ⊙ (y − y²)
  Sigmoid: ({ g, y: [y], dy }) => [() => g.mul(dy, g.sub(y, g.square(y)))],
  // y = x in another dtype                 dx = dy in x's dtype; integers carry none
  Cast: ({ g, x: [x], dy }) => [x.dtype === "float32" || x.dtype === "float64" ? () => g.cast(dy, x.dtype as "float32" | "float64") : null],
  // y = op(a)·op(b) + c                    d(op a) = dy·op(b)ᵀ     d(op b) = op(a)ᵀ·dy     dc = dy
  Gemm: ({ g, x: [a, b], dy, attributes: { transposeA, transposeB } }) => [
    () =>
      transposeA
        ? g.gemm(b, dy, { transposeA: transposeB, transposeB: true })
        : g.gemm(dy, b, { transposeB: !transposeB }),
    () =>
      transposeB
        ? g.gemm(dy, a, { transposeA: true, transposeB: transposeA })
        : g.gemm(a, dy, { transposeA: !transposeA }),
    () => dy,
  ],
  // y = x·wᵀ, w in blocks of integers: for answering only
  QuantisedLinear: ({ x }) => x.map(() => answersOnly),
  // y = a·b, a [..,m,k], b [..,k,n]        da = dy·bᵀ             db = aᵀ·dy
  MatMul: ({ g, x: [a, b], dy }) => [
    () => sumTo(g, g.matmul(dy, g.swapLast(b)), a.shape),
    () => sumTo(g, g.matmul(g.swapLast(a), dy), b.shape),
  ],
  // y = P·v, P = softmax(s)                ds = P ⊙ (dP − Σ dP ⊙ P), dP = dy·vᵀ; Σ dP ⊙ P = Σ dy ⊙ y, which is smaller
  //                                        dv = Pᵀ·dy             (FlashAttention, arXiv 2205.14135, eq. 4)
  SoftmaxMatMul: ({ g, x: [, values], y: [y, p], dy }) => [
    () => g.mul(p, g.sub(g.matmul(dy, g.swapLast(values)), g.sumLast(g.mul(dy, y)))),
    () => g.matmul(g.swapLast(p), dy),
  ],
  // y = softmax([q·prefixKᵀ | q·pastKᵀ | q·kᵀ] + mask)·[prefixV ; pastV ; v]: for answering only
  CachedAttention: ({ x }) => x.map(() => answersOnly),
  // y = x at one column a row: for answering only
  PickColumn: ({ x }) => x.map(() => answersOnly),
  // y = s ⊙ u, s = g σ(g)                  du = dy ⊙ s            dg = dy ⊙ (y + σ(u − y)), as s' = σ + s(1 − σ)
  SwiGlu: ({ g, x: [gate, up], y: [y, s], dy }) => [
    () => g.mul(dy, g.add(y, g.mul(g.sigmoid(gate), g.sub(up, y)))),
    () => g.mul(dy, s),
  ],
  // y = softmax(x), last axis              dx = y ⊙ (dy − Σ dy ⊙ y)
  Softmax: ({ g, y: [y], dy }) => [() => g.mul(y, g.sub(dy, g.sumLast(g.mul(dy, y))))],
  // y = Σ x over axes                      dx = dy on every summed place
  ReduceSum: ({ g, x: [x], dy, attributes: { axes, keepDims } }) => [
    () => g.add(g.scale(x, 0), keepAxes(g, dy, x.shape, axes, keepDims)),
  ],
  // y = mean of x over axes                dx = dy / n on every place; n is known
  ReduceMean: ({ g, x: [x], dy, attributes: { axes, keepDims } }) => [
    () => {
      const count = axes.reduce((n, axis) => n * (x.shape[axisOf(x.shape, axis)] as number), 1);
      return g.add(g.scale(x, 0), keepAxes(g, g.scale(dy, 1 / count), x.shape, axes, keepDims));
    },
  ],
  // y = max of x over axes: a shift in log Σ exp, whose own cotangent cancels it (the sum's VJP is exact without it)
  ReduceMax: () => [null],
  // y = Σ x²                               dx = 2 dy x
  SumSquares: ({ g, x: [x], dy }) => [() => g.mul(g.scale(dy, 2), x)],
  // y = argmax x: piecewise constant
  ArgMax: () => [null],
  // y = x in another shape                 dx = dy in x's shape
  Reshape: ({ g, x: [x], dy }) => [() => g.reshape(dy, x.shape)],
  // y = x with axes permuted               dx = dy with axes permuted back
  Transpose: ({ g, dy, attributes: { permutation } }) => [
    () => g.transpose(dy, permutation.map((_, axis) => permutation.indexOf(axis))),
  ],
  // y = parts side by side                 dpart = its slice of dy
  Concat: ({ g, x, dy, attributes: { axis } }) => {
    let start = 0;
    return x.map((part) => {
      const from = start;
      const end = from + (part.shape[axis] as number);
      start = end;
      return () => g.slice(dy, axis, from, end);
    });
  },
  // y = x[start:end] on one axis           dx = dy there, zero elsewhere
  Slice: ({ g, x: [x], dy, attributes: { axis, start, end } }) => [
    () => {
      const parts: Value[] = [];
      if (start > 0) parts.push(g.scale(g.slice(x, axis, 0, start), 0));
      parts.push(dy);
      const size = x.shape[axis] as number;
      if (end < size) parts.push(g.scale(g.slice(x, axis, end, size), 0));
      return g.concat(parts, axis);
    },
  ],
  // y = x repeated to a shape              dx = dy summed over the repeats
  Expand: ({ g, x: [x], dy }) => [() => sumTo(g, dy, x.shape)],
  // y = rows of table [V,D] at ids         dtable = dy added into those rows; ids are integers
  Gather: ({ g, x: [table, ids], dy }) => [() => g.scatterAdd(g.scale(table, 0), ids, dy), null],
  // y = table with rows added at ids       dtable = dy            drows = dy at ids
  ScatterAdd: ({ g, x: [, ids], dy }) => [() => dy, null, () => g.gather(dy, ids)],
  // y[place] = x[to[place]] where valid    dx = dy collected      (a bijection on the valid places)
  SpreadRows: ({ g, x: [, to, from, valid], dy }) => [() => g.collectRows(dy, { to, from, valid }), null, null, null],
  // y[n] = x[from[n]]                      dx = dy spread, zero at padding
  CollectRows: ({ g, x: [, from, to, valid], dy }) => [
    () => g.mul(g.spreadRows(dy, { to, from, valid }), valid),
    null,
    null,
    null,
  ],
  // y_i = x[ids_i], every block read       dx = dy summed over the places of each row
  GatherBlocks: ({ g, x: inputs, dys, attributes }) => [() => g.sumBlocks(dys as readonly Value[], blockMapOf(inputs, 1, attributes)), ...inputs.slice(1).map(() => null)],
  // y[m] = Σ over its places of b          db_i = dy[ids_i], zero at padding
  SumBlocks: ({ g, x: inputs, dy, attributes }) => {
    const { ids, valid } = blockMapOf(inputs, attributes.blocks, attributes);
    if (!valid) throw new Error("SumBlocks: its map does not say what is padding, so it cannot be differentiated");
    return inputs.map((_, i) => (i < ids.length ? () => g.mul(g.gather(dy, ids[i]), valid[i]) : null));
  },
  // y = ln Σ exp(h·headᵀ) − h·head[t], P = softmax(h·headᵀ)
  //                                        dh = dy ⊙ (P·head − head[t])      dhead = (dy ⊙ P)ᵀ·h − (dy ⊙ h added at t)
  TokenLoss: ({ g, x: [hidden, head, targets], y: [, logP], dy }) => [
    () => g.mul(g.sub(g.gemm(g.exp(logP), head), g.gather(head, targets)), dy),
    () => {
      const spread = g.gemm(g.mul(g.exp(logP), dy), hidden, { transposeA: true });
      return g.scatterAdd(spread, targets, g.neg(g.mul(hidden, dy)));
    },
    null,
  ],
  // y = x·inv·gain, inv = (mean x² + ε)^−½
  //   dx = inv (dn − x inv² mean(dn ⊙ x)) with dn = dy ⊙ gain        dgain = Σ rows dy ⊙ x·inv
  RmsNorm: ({ g, x: [x, gain], y: [, inv], dy }) => [
    () => {
      const dn = g.mul(dy, gain);
      const along = g.mul(g.reduceMean(g.mul(dn, x), [-1], true), g.square(inv));
      return g.mul(g.sub(dn, g.mul(x, along)), inv);
    },
    () => sumTo(g, g.mul(dy, g.mul(x, inv)), gain.shape),
  ],
  // y = R x, R a rotation by the position's angle     dx = Rᵀ dy: the rotation by the opposite angle
  Rotary: ({ g, x: [, positions, cos, sin], dy, attributes: { heads } }) => [
    () => g.rotary(dy, positions, cos, g.neg(sin), heads),
    null,
    null,
    null,
  ],
} satisfies { [O in Op]: Rule<O> };
