// Rebuilding a graph node by node: what every pass is made of. Nodes are immutable, so a pass makes new ones and maps
// old values to new values.

import type { Graph, GraphNode, Value } from "./value.ts";

/** For one node with its inputs already mapped: the values that stand for its outputs, or null to keep the node. */
export type Replace = (node: GraphNode, inputs: readonly Value[], keep: (source: GraphNode["source"], inputs: readonly Value[], types: readonly Pick<Value, "dtype" | "shape">[]) => readonly Value[]) => readonly Value[] | null;

export function rewrite(graph: Graph, replace: Replace): Graph {
  const nodes: GraphNode[] = [];
  const mapped = new Map<number, Value>();
  let nextValue = 0;
  const keep: Parameters<Replace>[2] = (source, inputs, types) => {
    const outputs: Value[] = [];
    const node: GraphNode = { id: nodes.length, source, inputs, outputs };
    types.forEach(({ dtype, shape }, index) => outputs.push({ id: nextValue++, node, index, dtype, shape }));
    nodes.push(node);
    return outputs;
  };
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((input) => mapped.get(input.id) as Value);
    const values = replace(node, inputs, keep) ?? keep(node.source, inputs, node.outputs);
    node.outputs.forEach((output, i) => mapped.set(output.id, values[i]));
  }
  return { nodes, outputs: graph.outputs.map(({ name, value }) => ({ name, value: mapped.get(value.id) as Value })) };
}

/** Ids of values some node or graph output reads. */
export function countReads(graph: Graph): Map<number, number> {
  const reads = new Map<number, number>();
  const read = (value: Value): void => void reads.set(value.id, (reads.get(value.id) ?? 0) + 1);
  for (const node of graph.nodes) node.inputs.forEach(read);
  for (const { value } of graph.outputs) read(value);
  return reads;
}
