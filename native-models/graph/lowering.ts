// What each op is in ONNX: one row per op. Most are one node; row maps and sums of squares are two.
// Sources: onnx.ai operator schemas (opset 21); SimplifiedLayerNormalization and the com.microsoft domain are
// ONNX Runtime's own (docs/ContribOperators.md), present in its CPU, CUDA and WebGPU providers.

import { plus, product, type Dim, type Shape } from "./dims.ts";
import type { Op, OpAttributes } from "./ops.ts";
import type { Dtype, Value } from "./value.ts";

export type OnnxAttribute = { int: number } | { float: number } | { ints: readonly number[] } | { text: string };

/** Writes ONNX nodes; given to each row. Names are tensor names. */
export interface Emitter {
  node(op: string, inputs: readonly string[], outputs: readonly string[], attributes?: Record<string, OnnxAttribute>, domain?: string): void;
  /** An int64 constant; equal ones are shared. */
  int64(values: readonly number[], shape: readonly number[]): string;
  /** A tensor name not used elsewhere; its shape where no rule of liveness.ts would find it. */
  fresh(shape?: Shape): string;
}

interface LoweringArguments<O extends Op> {
  emit: Emitter;
  x: readonly Value[];
  y: readonly Value[];
  /** Tensor names of inputs and outputs; an output nobody reads is "". */
  inputs: readonly string[];
  outputs: readonly string[];
  attributes: OpAttributes[O];
}

type Lowering<O extends Op> = (node: LoweringArguments<O>) => void;

export const microsoft = "com.microsoft";

export const onnxDtype: Record<Dtype, number> = {
  float32: 1,
  uint8: 2,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  bfloat16: 16,
};

function plain<O extends Op>(name: string): Lowering<O> {
  return ({ emit, inputs, outputs }) => emit.node(name, inputs, outputs);
}

function reduction<O extends "ReduceSum" | "ReduceMean" | "ReduceMax">(name: O): Lowering<O> {
  return ({ emit, x, inputs, outputs, attributes: { axes, keepDims } }) => {
    const list = axes.map((axis) => (axis < 0 ? axis + x[0].shape.length : axis));
    emit.node(name, [inputs[0], emit.int64(list, [list.length])], outputs, { keepdims: { int: keepDims ? 1 : 0 } });
  };
}

/** ONNX Reshape's target: 0 copies the input's axis, −1 is worked out; shapes.ts has allowed one of those at most. */
function reshapeTarget(from: Shape, to: Shape): number[] {
  let isWorkedOut = false;
  return to.map((dim: Dim, i) => {
    if (typeof dim === "number") return dim;
    if (from[i] === dim) return 0;
    if (isWorkedOut) throw new Error(`Reshape [${from}] to [${to}]: two unknown axes`);
    isWorkedOut = true;
    return -1;
  });
}

export const lowerings = {
  Add: plain("Add"),
  Sub: plain("Sub"),
  Mul: plain("Mul"),
  Div: plain("Div"),
  Min: plain("Min"),
  Neg: plain("Neg"),
  Exp: plain("Exp"),
  Log: plain("Log"),
  Sqrt: plain("Sqrt"),
  Sigmoid: plain("Sigmoid"),
  Cast: ({ emit, inputs, outputs, attributes: { to } }) => emit.node("Cast", inputs, outputs, { to: { int: onnxDtype[to] } }),
  Gemm: ({ emit, inputs, outputs, attributes: { transposeA, transposeB } }) =>
    emit.node("Gemm", inputs, outputs, { transA: { int: transposeA ? 1 : 0 }, transB: { int: transposeB ? 1 : 0 } }),
  QuantisedLinear: ({ emit, inputs, outputs, attributes: { bits, blockSize, in: K, out: N } }) =>
    emit.node("MatMulNBits", inputs, outputs, { K: { int: K }, N: { int: N }, bits: { int: bits }, block_size: { int: blockSize }, accuracy_level: { int: 4 } }, microsoft),
  MatMul: plain("MatMul"),
  SoftmaxMatMul: ({ emit, inputs: [scores, values], outputs: [mixed, probabilities] }) => {
    const rows = probabilities || emit.fresh();
    emit.node("Softmax", [scores], [rows], { axis: { int: -1 } });
    if (mixed) emit.node("MatMul", [rows, values], [mixed]);
  },
  CachedAttention: ({ emit, inputs: [q, ...rest], outputs }) => {
    const [keys, values, [mask, parts]] = [rest.slice(0, 3), rest.slice(3, 6), rest.slice(6)];
    const names = (): string[] => keys.map(() => emit.fresh());
    const [overEach, rowsOfEach, fromEach] = [names(), names(), names()];
    const [scores, masked, rows, fromCache] = Array.from({ length: 4 }, () => emit.fresh());
    keys.forEach((k, i) => emit.node("FusedMatMul", [q, k], [overEach[i]], { transB: { int: 1 } }, microsoft));
    emit.node("Concat", overEach, [scores], { axis: { int: -1 } });
    emit.node("Add", [scores, mask], [masked]);
    emit.node("Softmax", [masked], [rows], { axis: { int: -1 } });
    emit.node("Split", [rows, parts], rowsOfEach, { axis: { int: -1 } });
    values.forEach((v, i) => emit.node("MatMul", [rowsOfEach[i], v], [fromEach[i]]));
    emit.node("Add", fromEach.slice(0, 2), [fromCache]);
    emit.node("Add", [fromCache, fromEach[2]], outputs);
  },
  PickColumn: ({ emit, inputs, outputs }) => emit.node("GatherElements", inputs, outputs, { axis: { int: 1 } }),
  SwiGlu: ({ emit, inputs: [gate, up], outputs: [product, silu] }) => {
    const activated = silu || emit.fresh();
    emit.node("QuickGelu", [gate], [activated], { alpha: { float: 1 } }, microsoft);
    if (product) emit.node("Mul", [activated, up], [product]);
  },
  Softmax: ({ emit, inputs, outputs }) => emit.node("Softmax", inputs, outputs, { axis: { int: -1 } }),
  ReduceSum: reduction("ReduceSum"),
  ReduceMean: reduction("ReduceMean"),
  ReduceMax: reduction("ReduceMax"),
  SumSquares: ({ emit, inputs, outputs }) => emit.node("ReduceSumSquare", inputs, outputs, { keepdims: { int: 0 } }),
  ArgMax: ({ emit, inputs, outputs }) => emit.node("ArgMax", inputs, outputs, { axis: { int: -1 }, keepdims: { int: 0 } }),
  Reshape: ({ emit, x: [x], inputs, outputs, attributes: { shape } }) =>
    emit.node("Reshape", [inputs[0], emit.int64(reshapeTarget(x.shape, shape), [shape.length])], outputs),
  Transpose: ({ emit, inputs, outputs, attributes: { permutation } }) => emit.node("Transpose", inputs, outputs, { perm: { ints: permutation } }),
  Concat: ({ emit, inputs, outputs, attributes: { axis } }) => emit.node("Concat", inputs, outputs, { axis: { int: axis } }),
  Slice: ({ emit, inputs, outputs, attributes: { axis, start, end } }) =>
    emit.node("Slice", [inputs[0], emit.int64([start], [1]), emit.int64([end], [1]), emit.int64([axis], [1])], outputs),
  Expand: ({ emit, inputs, outputs, attributes: { shape } }) =>
    emit.node("Expand", [inputs[0], emit.int64(shape as readonly number[], [shape.length])], outputs),
  Gather: ({ emit, inputs, outputs }) => emit.node("Gather", inputs, outputs, { axis: { int: 0 } }),
  ScatterAdd: ({ emit, inputs: [table, ids, rows], outputs }) => {
    const indices = emit.fresh();
    emit.node("Unsqueeze", [ids, emit.int64([-1], [1])], [indices]);
    emit.node("ScatterND", [table, indices, rows], outputs, { reduction: { text: "add" } });
  },
  SpreadRows: ({ emit, inputs: [rows, to], outputs }) => emit.node("Gather", [rows, to], outputs, { axis: { int: 0 } }),
  CollectRows: ({ emit, x: [x], inputs: [padded, from], outputs }) => {
    const flat = emit.fresh();
    const width = x.shape.at(-1) as number;
    emit.node("Reshape", [padded, emit.int64([-1, width], [2])], [flat]);
    emit.node("Gather", [flat, from], outputs, { axis: { int: 0 } });
  },
  GatherBlocks: ({ emit, inputs: [rows, ...map], outputs }) => {
    outputs.forEach((block, i) => {
      if (block) emit.node("Gather", [rows, map[i]], [block], { axis: { int: 0 } });
    });
  },
  SumBlocks: ({ emit, x, inputs, outputs, attributes }) => {
    const { blocks, hasValid } = attributes;
    const zeroAt = blocks * (hasValid ? 3 : 2);
    const width = x[zeroAt].shape[1];
    const flat = x.slice(0, blocks).map(({ shape }, i) => {
      const name = emit.fresh([product(shape.slice(0, -1)), width]);
      emit.node("Reshape", [inputs[i], emit.int64([-1, width as number], [2])], [name]);
      return name;
    });
    const places = emit.fresh([x.slice(0, blocks).reduce<Dim>((sum, { shape }) => plus(sum, product(shape.slice(0, -1))), 1), width]);
    emit.node("Concat", [...flat, inputs[zeroAt]], [places], { axis: { int: 0 } });
    const sums = x.slice(zeroAt + 1);
    const parts = sums.map(({ shape: [count, rows] }, j) => {
      const gathered = emit.fresh([count, rows, width]);
      emit.node("Gather", [places, inputs[zeroAt + 1 + j]], [gathered], { axis: { int: 0 } });
      const summed = sums.length === 1 ? outputs[0] : emit.fresh([rows, width]);
      if (count === 1) emit.node("Reshape", [gathered, emit.int64([-1, width as number], [2])], [summed]);
      else emit.node("ReduceSum", [gathered, emit.int64([0], [1])], [summed], { keepdims: { int: 0 } });
      return summed;
    });
    if (parts.length > 1) emit.node("Concat", parts, outputs, { axis: { int: 0 } });
  },
  TokenLoss: ({ emit, x: [h], inputs: [hidden, head, targets], outputs: [nll, logName] }) => {
    const logits = emit.fresh();
    const logProbabilities = logName || emit.fresh();
    emit.node("Gemm", [hidden, head], [logits], { transA: { int: 0 }, transB: { int: 1 } });
    emit.node("LogSoftmax", [logits], [logProbabilities], { axis: { int: -1 } });
    if (!nll) return;
    const [columns, picked] = [emit.fresh([h.shape[0], 1]), emit.fresh([h.shape[0], 1])];
    emit.node("Unsqueeze", [targets, emit.int64([1], [1])], [columns]);
    emit.node("GatherElements", [logProbabilities, columns], [picked], { axis: { int: 1 } });
    emit.node("Neg", [picked], [nll]);
  },
  RmsNorm: ({ emit, inputs, outputs, attributes: { epsilon } }) =>
    emit.node("SimplifiedLayerNormalization", inputs, outputs[1] ? [outputs[0] || emit.fresh(), outputs[1]] : [outputs[0]], {
      axis: { int: -1 },
      epsilon: { float: epsilon },
      stash_type: { int: 1 },
    }),
  Rotary: ({ emit, inputs, outputs, attributes: { heads } }) =>
    emit.node("RotaryEmbedding", inputs, outputs, { num_heads: { int: heads }, interleaved: { int: 0 } }, microsoft),
} satisfies { [O in Op]: Lowering<O> };
