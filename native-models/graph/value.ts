// The compiler's data: a graph of typed, shaped values in execution order (SSA).
// In: calls of builder.ts and backward.ts. Out: passes, print.ts and emit-onnx.ts read it.

import type { Attributes, Op } from "./ops.ts";
import type { Dim, Shape } from "./dims.ts";

export type Dtype = "float32" | "float64" | "int64" | "int32" | "bool" | "bfloat16" | "float16" | "uint8";

/** Where the bytes of a weight are: a file beside the model, never copied. */
export interface ExternalData {
  /** Path relative to the session's weights folder. */
  file: string;
  offsetBytes: number;
  sizeBytes: number;
}

export type ConstantData = Float32Array | Float64Array | BigInt64Array | Int32Array | Uint8Array;

export type NodeKind =
  | { kind: "input"; name: string }
  | { kind: "constant"; data: ConstantData }
  | { kind: "weight"; name: string; external: ExternalData }
  | {
      kind: "op";
      op: Op;
      attributes: Attributes;
      /** Computed a second time on purpose (passes/recompute.ts): not to be shared with the first. */
      isRepeat?: boolean;
    };

export interface GraphNode {
  id: number;
  source: NodeKind;
  inputs: readonly Value[];
  outputs: readonly Value[];
}

/** One tensor of the graph: output `index` of `node`. */
export interface Value {
  id: number;
  node: GraphNode;
  index: number;
  dtype: Dtype;
  shape: Shape;
}

export interface GraphOutput {
  name: string;
  value: Value;
}

/** Nodes in an order in which each comes after its inputs. */
export interface Graph {
  nodes: readonly GraphNode[];
  outputs: readonly GraphOutput[];
}

/** "op name [shape] [shape]" of a node, for messages. */
export function describeNode(node: GraphNode): string {
  const { source } = node;
  const head = source.kind === "op" ? source.op : source.kind === "constant" ? describeConstant(source.data) : `${source.kind} "${source.name}"`;
  const inputs = node.inputs.map((value) => describeValue(value)).join(", ");
  return `%${node.outputs[0]?.id ?? node.id} = ${head}(${inputs})`;
}

function describeConstant(data: ConstantData): string {
  return data.length === 1 ? `constant ${data[0]}` : "constant";
}

export function describeValue(value: Value): string {
  return `%${value.id} ${value.dtype}[${value.shape.map((dim: Dim) => String(dim)).join(",")}]`;
}
