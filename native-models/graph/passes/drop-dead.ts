// Removes nodes that no output needs. Inputs stay: they are the program's interface.

import type { Graph } from "../value.ts";

export function dropDead(graph: Graph): Graph {
  const live = new Set<number>(graph.outputs.map(({ value }) => value.node.id));
  for (const node of graph.nodes.toReversed()) if (live.has(node.id)) for (const input of node.inputs) live.add(input.node.id);
  return { nodes: graph.nodes.filter((node) => live.has(node.id) || node.source.kind === "input"), outputs: graph.outputs };
}
