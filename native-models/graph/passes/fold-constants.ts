// Works out what depends on scalars and small constants alone, and drops what changes nothing (x + 0, x · 1).
// Weights are not touched: the runtime folds their casts when it loads them.

import { isSameShape } from "../dims.ts";
import { rewrite } from "../rewrite.ts";
import type { Graph, GraphNode, Value } from "../value.ts";

type Scalar = (...x: number[]) => number;

const scalarRules: Partial<Record<string, Scalar>> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b) => a / b,
  Min: (a, b) => Math.min(a, b),
  Neg: (a) => -a,
  Exp: Math.exp,
  Log: Math.log,
  Sqrt: Math.sqrt,
};

export function foldConstants(graph: Graph): Graph {
  return rewrite(graph, (node, inputs, keep) => {
    const { source } = node;
    if (source.kind !== "op") return null;
    const same = identity(source.op, inputs, node.outputs[0]);
    if (same) return [same];
    const rule = scalarRules[source.op];
    const scalars = inputs.map(scalarOf);
    if (!rule || scalars.some((value) => value === null) || node.outputs[0].dtype !== "float32" || node.outputs[0].shape.length > 0) return null;
    return keep({ kind: "constant", data: Float32Array.of(rule(...(scalars as number[]))) }, [], node.outputs);
  });
}

function scalarOf(value: Value): number | null {
  const { source } = value.node;
  return source.kind === "constant" && value.shape.length === 0 && source.data instanceof Float32Array ? source.data[0] : null;
}

function identity(op: string, inputs: readonly Value[], output: GraphNode["outputs"][number]): Value | null {
  const neutral: Partial<Record<string, number>> = { Add: 0, Sub: 0, Mul: 1, Div: 1 };
  const unit = neutral[op];
  if (unit === undefined) return null;
  const [a, b] = inputs;
  if (scalarOf(b) === unit && isSameShape(a.shape, output.shape)) return a;
  const commutes = op === "Add" || op === "Mul";
  return commutes && scalarOf(a) === unit && isSameShape(b.shape, output.shape) ? b : null;
}
