// The graph as text, one node a line, for reading and for tests.

import { describeNode, type Graph, type GraphNode } from "./value.ts";

export function printGraph(graph: Graph): string {
  const lines = graph.nodes.map((node) => `${describeNode(node)}${attributesOf(node)} -> ${node.outputs.map((output) => `[${output.shape}]`).join(" ")}`);
  const outputs = graph.outputs.map(({ name, value }) => `output "${name}" = %${value.id}`);
  return [...lines, ...outputs].join("\n");
}

function attributesOf(node: GraphNode): string {
  if (node.source.kind !== "op") return "";
  const text = JSON.stringify(node.source.attributes);
  return text === "{}" ? "" : ` ${text}`;
}
