// The ops the builders can emit, with their attributes. Each has a row in shapes.ts, vjp.ts and lowering.ts, and a
// case in test/graph/vjp.test.ts. Only ops that the CPU, WebGPU and CUDA providers all run are here.

import type { Dim } from "./dims.ts";

export interface OpAttributes {
  Add: Record<never, never>;
  Sub: Record<never, never>;
  Mul: Record<never, never>;
  Div: Record<never, never>;
  Min: Record<never, never>;
  Neg: Record<never, never>;
  Exp: Record<never, never>;
  Log: Record<never, never>;
  Sqrt: Record<never, never>;
  Sigmoid: Record<never, never>;
  Cast: { to: "float32" | "float64" | "int64" | "int32" };
  /** op(a) · op(b) [+ c] of matrices, op transposing where said. */
  Gemm: { transposeA: boolean; transposeB: boolean };
  /**
   * x·wᵀ of x [N,in] with w [out,in] held as integers in blocks along `in`: packed [out,blocks,bytes] uint8 (4-bit ones two
   * a byte, the first in the low half), scales [out,blocks], for 4 bits also zero points, uint8 [out,⌈blocks/2⌉]; 8-bit ones
   * are centred on 128. x is rounded to 8 bits a block as well. For answering only: no gradient passes.
   */
  QuantisedLinear: { bits: 4 | 8; blockSize: number; in: number; out: number };
  /** Batched matrix product over the last two axes. */
  MatMul: Record<never, never>;
  /** y = softmax(s)·v, s [..,m,n], v [..,n,e]; outputs y and the probabilities. */
  SoftmaxMatMul: Record<never, never>;
  /**
   * Attention of new tokens over a prefix that all rows of a lane share, a cache and themselves, without joining the three:
   * softmax([q·prefixKᵀ | q·pastKᵀ | q·kᵀ] + mask) times prefixV over pastV over v. q [n,A,G,m,E], prefixes [A,G,P,E], past
   * [n,A,G,C,E], new [n,A,G,T,E], mask [..,m,P+C+T], parts [3] = P, C and T. For answering only: no gradient passes.
   */
  CachedAttention: Record<never, never>;
  /** silu(gate) ⊙ up, silu(x) = x·σ(x); outputs the product and silu(gate). */
  SwiGlu: Record<never, never>;
  /** Over the last axis. */
  Softmax: Record<never, never>;
  ReduceSum: { axes: readonly number[]; keepDims: boolean };
  ReduceMean: { axes: readonly number[]; keepDims: boolean };
  ReduceMax: { axes: readonly number[]; keepDims: boolean };
  /** Σ x² over all elements, a scalar. */
  SumSquares: Record<never, never>;
  /** Index of the largest element of the last axis, int64, axis dropped. */
  ArgMax: Record<never, never>;
  Reshape: { shape: readonly (number | string)[] };
  Transpose: { permutation: readonly number[] };
  Concat: { axis: number };
  Slice: { axis: number; start: number; end: number };
  Expand: { shape: readonly (number | string)[] };
  /** One element of each row: x [M,V] at ids [M,1]. For answering only: no gradient passes. */
  PickColumn: Record<never, never>;
  /** Rows of a table by id. */
  Gather: Record<never, never>;
  /** Adds rows [..,D] into a table at ids. */
  ScatterAdd: Record<never, never>;
  /** Packed rows [N,..] to a padded layout [lead..,..]; see rows.ts for the maps. */
  SpreadRows: Record<never, never>;
  /** Padded layout [lead..,..] to packed rows [N,..]. */
  CollectRows: Record<never, never>;
  /** Rows of a matrix [rows,E] laid out in blocks [lead..,E], one output a block; see BlockMap. A row may stand in several. */
  GatherBlocks: BlockAttributes;
  /** Blocks [lead..,E] summed back to [rows,E]: each row is the sum of its places. */
  SumBlocks: BlockAttributes;
  /**
   * −ln softmax(h·headᵀ)[target] of hidden states h [M,D], head [V,D], targets [M]: outputs [M,1] and ln softmax [M,V].
   * Only the first output carries a gradient.
   */
  TokenLoss: Record<never, never>;
  /** y = x · inv · gain with inv = 1/√(mean x² + ε); outputs y and inv. */
  RmsNorm: { epsilon: number };
  /** Rotary position embedding of x [B,T,H·E] or [B,H,T,E], in halves: (x₁,x₂) → (x₁cos − x₂sin, x₂cos + x₁sin). */
  Rotary: { heads: number };
}

export interface BlockAttributes {
  blocks: number;
  /** Rows of the matrix. */
  rows: Dim;
  /** Whether the map says which places are padding. */
  hasValid: boolean;
}

export type Op = keyof OpAttributes;
export type Attributes = OpAttributes[Op];
