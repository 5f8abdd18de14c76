// Legality of a graph: order, shapes and dtypes, checked anew by the shape rules after every pass.

import { isSameShape } from "./dims.ts";
import type { Attributes, Op } from "./ops.ts";
import { IllegalNodeError, shapeRules, type Typed } from "./shapes.ts";
import { describeNode, describeValue, type Graph, type GraphNode, type Value } from "./value.ts";

/** Throws naming the node and the rule that is broken. `stage` says after which pass. */
export function checkGraph(graph: Graph, stage: string): void {
  const known = new Set<number>();
  const names = new Set<string>();
  for (const node of graph.nodes) {
    for (const input of node.inputs) {
      if (!known.has(input.id)) throw new Error(`After "${stage}": ${describeNode(node)} reads ${describeValue(input)} before it exists`);
    }
    if (node.source.kind === "input") {
      if (names.has(node.source.name)) throw new Error(`After "${stage}": two inputs are named "${node.source.name}"`);
      names.add(node.source.name);
    }
    if (node.source.kind === "op") {
      typesOf(node, node.source, stage).forEach((typed, i) => {
        const output = node.outputs[i];
        if (typed.dtype !== output.dtype || !isSameShape(typed.shape, output.shape)) {
          throw new Error(`After "${stage}": ${describeNode(node)} gives ${typed.dtype}[${typed.shape}], but the graph says ${describeValue(output)}`);
        }
      });
    }
    for (const output of node.outputs) known.add(output.id);
  }
  for (const { name, value } of graph.outputs) {
    if (!known.has(value.id)) throw new Error(`After "${stage}": output "${name}" is no longer computed`);
  }
}

function typesOf(node: GraphNode, { op, attributes }: { op: Op; attributes: Attributes }, stage: string): readonly Typed[] {
  const rule = shapeRules[op] as (inputs: readonly Value[], attributes: Attributes) => readonly Typed[];
  try {
    return rule(node.inputs, attributes);
  } catch (error) {
    if (!(error instanceof IllegalNodeError)) throw error;
    throw new Error(`After "${stage}": ${describeNode(node)} breaks its rule: ${error.rule}`, { cause: error });
  }
}
