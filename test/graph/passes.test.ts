// What each pass does to a small graph, as text; and that all of them together change no number.

import { describe, expect, test } from "vitest";
import { backward } from "../../native-models/graph/backward.ts";
import { GraphBuilder } from "../../native-models/graph/builder.ts";
import { checkGraph } from "../../native-models/graph/check.ts";
import { emitOnnx } from "../../native-models/graph/emit-onnx.ts";
import { dropDead } from "../../native-models/graph/passes/drop-dead.ts";
import { foldConstants } from "../../native-models/graph/passes/fold-constants.ts";
import { fuseGemmAdd } from "../../native-models/graph/passes/fuse-gemm-add.ts";
import { optimize } from "../../native-models/graph/passes/optimize.ts";
import { recompute } from "../../native-models/graph/passes/recompute.ts";
import { shareCommon } from "../../native-models/graph/passes/share-common.ts";
import { turnThinProducts } from "../../native-models/graph/passes/thin-products.ts";
import { printGraph } from "../../native-models/graph/print.ts";
import { rewrite } from "../../native-models/graph/rewrite.ts";
import type { Graph, Value } from "../../native-models/graph/value.ts";
import { openSession } from "../../native-models/runtime/session.ts";
import { seededNormal } from "../support/tiny-model.ts";

/** A pass over a small graph, checked, without what it left unused, as lines of text. */
function after(pass: (graph: Graph) => Graph, build: (g: GraphBuilder) => Record<string, Value>): string[] {
  const g = new GraphBuilder();
  for (const [name, value] of Object.entries(build(g))) g.output(name, value);
  const done = pass(g.graph());
  checkGraph(done, "the pass");
  const numbered = rewrite(dropDead(done), () => null); // ids in order
  return printGraph(numbered).split("\n");
}

const opsOf = (lines: readonly string[]): string[] => lines.flatMap((line) => /= ([A-Z]\w+)\(/.exec(line)?.[1] ?? []);

test("dropping the dead keeps what outputs need, and every input: they are the program's interface", () => {
  const lines = after((graph) => graph, (g) => {
    const [x, unread] = [g.input("x", "float32", [2]), g.input("unread", "float32", [3])];
    g.exp(g.add(unread, unread));
    return { y: g.neg(x) };
  });
  expect(lines).toEqual(['%0 = input "x"() -> [2]', '%1 = input "unread"() -> [3]', "%2 = Neg(%0 float32[2]) -> [2]", 'output "y" = %2']);
});

describe("sharing common subexpressions", () => {
  test("computes equal nodes once, also where they are equal only after their inputs are", () => {
    const lines = after(shareCommon, (g) => {
      const x = g.input("x", "float32", [2]);
      return { y: g.sub(g.exp(g.scale(x, 3)), g.exp(g.scale(x, 3))) };
    });
    expect(lines).toEqual([
      '%0 = input "x"() -> [2]',
      "%1 = constant 3() -> []",
      "%2 = Mul(%0 float32[2], %1 float32[]) -> [2]",
      "%3 = Exp(%2 float32[2]) -> [2]",
      "%4 = Sub(%3 float32[2], %3 float32[2]) -> [2]",
      'output "y" = %4',
    ]);
  });

  test("tells apart other attributes, other constants and inputs of one shape", () => {
    const lines = after(shareCommon, (g) => {
      const [x, y] = [g.input("x", "float32", [2, 2]), g.input("y", "float32", [2, 2])];
      return { a: g.reduceSum(x, [0]), b: g.reduceSum(x, [1]), c: g.reduceSum(y, [0]), d: g.scale(x, 2), e: g.scale(x, -2) };
    });
    expect(opsOf(lines)).toEqual(["ReduceSum", "ReduceSum", "ReduceSum", "Mul", "Mul"]);
  });

  test("leaves alone what is computed a second time on purpose", () => {
    const build = (g: GraphBuilder): Graph => {
      const x = g.input("x", "float32", [2]);
      const y = g.exp(x);
      g.output("z", g.mul(g.neg(y), y));
      return recompute(g.graph(), 2, () => false);
    };
    expect(opsOf(printGraph(shareCommon(build(new GraphBuilder()))).split("\n"))).toEqual(["Exp", "Exp", "Neg", "Mul"]);
  });
});

describe("folding constants", () => {
  test("works out scalars and drops what changes nothing", () => {
    const lines = after(foldConstants, (g) => {
      const x = g.input("x", "float32", ["N", 2]);
      const six = g.mul(g.scalar(2), g.sqrt(g.scalar(9)));
      return { y: g.mul(g.add(g.div(x, g.scalar(1)), g.scalar(0)), six), z: g.mul(g.scalar(1), g.sub(x, g.scalar(0))) };
    });
    expect(lines).toEqual(['%0 = input "x"() -> [N,2]', "%1 = constant 6() -> []", "%2 = Mul(%0 float32[N,2], %1 float32[]) -> [N,2]", 'output "y" = %2', 'output "z" = %0']);
  });

  test("keeps 0 − x, 1 / x, and a 1 that widens a shape", () => {
    const lines = after(foldConstants, (g) => {
      const [x, small] = [g.input("x", "float32", [2]), g.input("small", "float32", [])];
      const ones = g.constant(Float32Array.of(1, 1, 1), [3]);
      return { a: g.sub(g.scalar(0), x), b: g.div(g.scalar(1), x), c: g.mul(small, ones) };
    });
    expect(opsOf(lines)).toEqual(["Sub", "Div", "Mul"]);
  });
});

describe("fusing Gemm and Add", () => {
  const inputs = (g: GraphBuilder): Value[] => [g.input("x", "float32", ["N", 8]), g.input("w", "float32", [3, 8]), g.input("a", "float32", ["N", 2]), g.input("b", "float32", [3, 2])];

  test("the product with more arithmetic takes the other as what it adds onto", () => {
    for (const isWideFirst of [true, false]) {
      const lines = after(fuseGemmAdd, (g) => {
        const [x, w, a, b] = inputs(g);
        const [wide, thin] = [g.linear(x, w), g.linear(a, b)];
        return { y: isWideFirst ? g.add(wide, thin) : g.add(thin, wide) };
      });
      expect(lines.slice(4)).toEqual([
        '%4 = Gemm(%2 float32[N,2], %3 float32[3,2]) {"transposeA":false,"transposeB":true} -> [N,3]',
        '%5 = Gemm(%0 float32[N,8], %1 float32[3,8], %4 float32[N,3]) {"transposeA":false,"transposeB":true} -> [N,3]',
        'output "y" = %5',
      ]);
    }
  });

  test("leaves a product that something else reads, one that adds already, and a row that broadcasts", () => {
    const lines = after(fuseGemmAdd, (g) => {
      const [x, w] = inputs(g);
      const [c, row] = [g.input("c", "float32", ["N", 3]), g.input("row", "float32", [3])];
      const twice = g.linear(x, w);
      const full = g.linear(x, g.neg(w), c);
      return { a: g.add(twice, c), b: g.exp(twice), d: g.add(full, c), e: g.add(g.linear(g.neg(x), w), row), own: g.add(c, c) };
    });
    expect(opsOf(lines).filter((op) => op === "Add")).toHaveLength(4);
  });
});

describe("turning thin products", () => {
  const product = (rows: number, columns: number, transposeB = false) => (g: GraphBuilder) => {
    const b = g.input("b", "float32", transposeB ? [columns, "N"] : ["N", columns]);
    return { y: g.gemm(g.input("a", "float32", ["N", rows]), b, { transposeA: true, transposeB }) };
  };

  test("multiplies a wide aᵀ by a thin b as (bᵀ·a)ᵀ", () => {
    expect(after(turnThinProducts, product(64, 4))).toEqual([
      '%0 = input "b"() -> [N,4]',
      '%1 = input "a"() -> [N,64]',
      '%2 = Gemm(%0 float32[N,4], %1 float32[N,64]) {"transposeA":true,"transposeB":false} -> [4,64]',
      '%3 = Transpose(%2 float32[4,64]) {"permutation":[1,0]} -> [64,4]',
      'output "y" = %3',
    ]);
  });

  test.each([
    { name: "nearly square ones", build: product(12, 4) },
    { name: "thin aᵀ with wide b", build: product(4, 64) },
    { name: "those with b transposed", build: product(64, 4, true) },
  ])("leaves $name", ({ build }) => {
    expect(opsOf(after(turnThinProducts, build))).toEqual(["Gemm"]);
  });
});

describe("computing again instead of holding", () => {
  /** loss = Σ exp(x·w)², and its gradient by w: the backward pass reads exp and x·w. */
  function built(): { g: GraphBuilder; firstBackward: number } {
    const g = new GraphBuilder();
    const [x, w] = [g.input("x", "float32", [2, 3]), g.input("w", "float32", [3, 2])];
    const loss = g.sumSquares(g.exp(g.matmul(x, w)));
    const firstBackward = g.graph().nodes.length;
    g.output("loss", loss);
    g.output("dw", backward(g, loss, [w])[0]);
    return { g, firstBackward };
  }

  test("repeats what is not kept, once, from what is, and leaves the forward pass as it was", () => {
    const { g, firstBackward } = built();
    const before = printGraph(g.graph()).split("\n");
    const lines = printGraph(recompute(g.graph(), firstBackward, ({ node }) => node.source.kind === "op" && node.source.op === "MatMul")).split("\n");
    expect(lines.slice(0, firstBackward)).toEqual(before.slice(0, firstBackward));
    expect(opsOf(lines).filter((op) => op === "Exp")).toHaveLength(2);
    expect(opsOf(lines.slice(0, firstBackward))).toEqual(["MatMul", "Exp", "SumSquares"]);
    const again = lines.findIndex((line, i) => i >= firstBackward && line.includes("= Exp("));
    expect(lines[again], "from the kept product").toBe(lines.find((line) => line.includes("= Exp("))!.replace(/^%\d+/, /^%\d+/.exec(lines[again])![0]));
  });

  test("repeats a chain back to what is kept, and nothing where all is", () => {
    const { g, firstBackward } = built();
    const count = (keepsAll: boolean): string[] => opsOf(printGraph(recompute(g.graph(), firstBackward, () => keepsAll)).split("\n"));
    expect(count(true)).toEqual(opsOf(printGraph(g.graph()).split("\n")));
    expect(count(false).filter((op) => op === "MatMul").length).toBe(count(true).filter((op) => op === "MatMul").length + 1);
  });
});

test("all passes together change no number of a network's loss and gradients, and leave fewer nodes", async () => {
  const g = new GraphBuilder();
  const names = ["x", "w", "a", "b", "gain"];
  const shapes: Record<string, number[]> = { x: [5, 8], w: [16, 8], a: [2, 8], b: [16, 2], gain: [8] };
  const value = Object.fromEntries(names.map((name) => [name, g.input(name, "float32", shapes[name])]));
  const normed = g.rmsNorm(value["x"], value["gain"], 1e-5);
  const y = g.swiGlu(g.add(g.linear(normed, value["w"]), g.linear(g.linear(normed, value["a"]), value["b"])), g.scale(g.linear(normed, value["w"]), 0.5));
  const loss = g.add(g.sumSquares(y), g.sumSquares(g.sub(y, g.scale(y, 1))));
  g.output("loss", loss);
  backward(g, loss, [value["a"], value["b"]]).forEach((gradient, i) => g.output(`d${i}`, gradient));

  const normal = seededNormal(2);
  const feeds = Object.fromEntries(names.map((name) => [name, { data: Float32Array.from({ length: shapes[name].reduce((n, dim) => n * dim, 1) }, normal), dims: shapes[name] }]));
  const [plain, passed] = [emitOnnx(g.graph()), emitOnnx(optimize(g.graph()))];
  const [expected, actual] = await Promise.all([plain, passed].map(async (program) => (await openSession(program, { threads: 1 })).run(feeds)));
  let worst = 0;
  for (const [name, { data }] of Object.entries(expected)) {
    const largest = Math.max(...Array.from(data as Float32Array, Math.abs));
    (data as Float32Array).forEach((x, i) => (worst = Math.max(worst, Math.abs(x - (actual[name].data[i] as number)) / largest)));
  }
  console.log(`passes: ${plain.nodeCount} → ${passed.nodeCount} nodes, results ${worst.toExponential(1)} apart`);
  expect(worst).toBeLessThan(1e-6); // sums in another order
  expect(passed.nodeCount).toBeLessThan(plain.nodeCount);
});
