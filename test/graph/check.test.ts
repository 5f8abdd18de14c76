// An illegal graph is refused where it is made or after the pass that made it, by op, name, shapes and rule.

import { describe, expect, test } from "vitest";
import { GraphBuilder } from "../../native-models/graph/builder.ts";
import { checkGraph } from "../../native-models/graph/check.ts";
import type { Graph, GraphNode, Value } from "../../native-models/graph/value.ts";

function small(): { g: GraphBuilder; x: Value; y: Value } {
  const g = new GraphBuilder();
  const x = g.input("x", "float32", ["N", 3]);
  const y = g.linear(x, g.input("w", "float32", [4, 3]));
  g.output("y", y);
  return { g, x, y };
}

/** The graph with one node changed, as a faulty pass would leave it. */
function broken(graph: Graph, change: (node: GraphNode) => GraphNode): Graph {
  return { ...graph, nodes: graph.nodes.map((node) => (node.source.kind === "op" ? change(node) : node)) };
}

describe("building", () => {
  test.each<[string, (g: GraphBuilder, x: Value) => Value, string]>([
    ["a product whose inner sizes differ", (g, x) => g.linear(x, g.input("w", "float32", [4, 2])), "Gemm(float32[N,3], float32[4,2]): inner sizes agree (3 and 2)"],
    ["a product of two dtypes", (g, x) => g.linear(x, g.input("w", "float64", [4, 3])), "Gemm(float32[N,3], float64[4,3]): a and b have one dtype"],
    ["a sum that does not broadcast", (g, x) => g.add(x, g.input("b", "float32", ["M", 3])), "Add(float32[N,3], float32[M,3]): shapes broadcast (equal, or 1)"],
    ["a reshape to another number of elements", (g, x) => g.reshape(x, ["N", 4]), "Reshape(float32[N,3]): [N,4] has as many elements"],
    ["a slice beyond its axis", (g, x) => g.slice(x, 1, 2, 5), "Slice(float32[N,3]): 2..5 lies inside axis 1"],
    ["a gather by fractions", (g, x) => g.gather(x, x), "Gather(float32[N,3], float32[N,3]): ids are integers"],
    ["an axis outside the rank", (g, x) => g.reduceSum(x, [2]), "ReduceSum(float32[N,3]): axes 2 are inside the rank"],
  ])("%s is refused", (_name, build, message) => {
    const { g, x } = small();
    expect(() => build(g, x)).toThrow(message);
  });
});

describe("the check after a pass", () => {
  test("names the pass, the node, its inputs and the rule that is broken", () => {
    const { g } = small();
    const graph = broken(g.graph(), (node) => ({ ...node, inputs: node.inputs.toReversed().concat(node.inputs[0]) }));
    expect(() => checkGraph(graph, "a faulty pass")).toThrow('After "a faulty pass": %2 = Gemm(%1 float32[4,3], %0 float32[N,3], %0 float32[N,3]) breaks its rule: c is [4,N]');
  });

  test("names a node whose outputs are not what its rule says", () => {
    const { g } = small();
    const graph = broken(g.graph(), (node) => ({ ...node, outputs: [{ ...node.outputs[0], shape: ["N", 5] }] }));
    expect(() => checkGraph(graph, "a faulty pass")).toThrow(/%2 = Gemm\(.*\) gives float32\[N,4\], but the graph says %2 float32\[N,5\]/);
  });

  test("names a node that reads what does not exist yet", () => {
    const { g } = small();
    const graph = { ...g.graph(), nodes: g.graph().nodes.toReversed() };
    expect(() => checkGraph(graph, "a faulty pass")).toThrow(/%2 = Gemm\(.*\) reads %0 float32\[N,3\] before it exists/);
  });

  test("names an output that is no longer computed, and two inputs of one name", () => {
    const { g } = small();
    expect(() => checkGraph({ ...g.graph(), nodes: g.graph().nodes.slice(0, 2) }, "a faulty pass")).toThrow('output "y" is no longer computed');
    g.input("x", "float32", [1]);
    expect(() => checkGraph(g.graph(), "a faulty pass")).toThrow('two inputs are named "x"');
  });

  test("lets a legal graph through", () => {
    expect(() => checkGraph(small().g.graph(), "building")).not.toThrow();
  });
});
