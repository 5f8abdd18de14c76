// Common subexpressions: a node that repeats an earlier one (same op, inputs and attributes) becomes that one.

import { rewrite } from "../rewrite.ts";
import type { Graph, GraphNode, Value } from "../value.ts";

export function shareCommon(graph: Graph): Graph {
  const seen = new Map<string, readonly Value[]>();
  return rewrite(graph, (node, inputs, keep) => {
    const key = keyOf(node, inputs);
    if (key === null) return null;
    const earlier = seen.get(key);
    if (earlier) return earlier;
    const values = keep(node.source, inputs, node.outputs);
    seen.set(key, values);
    return values;
  });
}

/** Large constants are not compared: only scalars and short vectors repeat. */
const longestComparedConstant = 64;

function keyOf(node: GraphNode, inputs: readonly Value[]): string | null {
  const { source } = node;
  if (source.kind === "input") return null;
  if (source.kind === "weight") return `weight ${source.external.file} ${source.external.offsetBytes} ${node.outputs[0].dtype}`;
  if (source.kind === "constant") {
    if (source.data.length > longestComparedConstant) return null;
    return `constant ${node.outputs[0].dtype} ${node.outputs[0].shape} ${Array.from(source.data as ArrayLike<number | bigint>, String).join()}`;
  }
  return `${source.op}${source.isRepeat ? " again" : ""} ${JSON.stringify(source.attributes)} ${inputs.map((value) => value.id).join()}`;
}
