// What the training program computes and what it does not: read from its graph.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Checkpoint } from "../../native-models/checkpoint/types.ts";
import { emitOnnx } from "../../native-models/graph/emit-onnx.ts";
import { countElements } from "../../native-models/graph/liveness.ts";
import { dropDead } from "../../native-models/graph/passes/drop-dead.ts";
import { optimize } from "../../native-models/graph/passes/optimize.ts";
import type { Graph, GraphNode, Value } from "../../native-models/graph/value.ts";
import type { AdapterKind } from "../../native-models/programs/adapters.ts";
import { modulesOf } from "../../native-models/programs/names.ts";
import { buildTrainGraph, trainFeeds, type Recomputed } from "../../native-models/programs/train-program.ts";
import { f32, openSession } from "../../native-models/runtime/session.ts";
import { sizesOf } from "../../native-models/training/memory-estimate.ts";
import { adapterKinds, relativeDistance, tinyAdapters, tinyCheckpoint, tinyRow } from "../support/tiny-training.ts";

const rank = 3;

let folder: string;
let checkpoint: Checkpoint;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "nullspace-program-"));
  // No size stands for two things: D 24, H·E 20, G·E 10, F 36, V 300.
  checkpoint = tinyCheckpoint(join(folder, "model"), { hidden: 24, heads: 2, kvHeads: 1, headSize: 10, mlpWidth: 36 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const graphOf = (kind: AdapterKind, recomputed: Recomputed = "none"): Graph => optimize(buildTrainGraph(checkpoint, { rank, kind, maxLength: 32, recomputed }).graph);
const isOp = (node: GraphNode, ...ops: string[]): boolean => node.source.kind === "op" && ops.includes(node.source.op);

/** The checkpoint's name of a weight, seen through its cast; null for anything else. */
function weightName({ node }: Value): string | null {
  if (node.source.kind === "weight") return node.source.name;
  return isOp(node, "Cast") ? weightName(node.inputs[0]) : null;
}

/** Names of the tensors that a product reads, with how often. */
function productsOf(graph: Graph): Map<string, number> {
  const counts = new Map<string, number>();
  for (const node of graph.nodes.filter((one) => isOp(one, "Gemm", "MatMul", "TokenLoss"))) {
    for (const name of node.inputs.map(weightName)) if (name !== null) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

describe.each(adapterKinds)('the program of kind "%s"', (kind) => {
  test("reads a frozen weight twice, forward and for dx; the first layer's q, k and v once: below them nothing learns", () => {
    const products = productsOf(graphOf(kind));
    const expected = Object.fromEntries(modulesOf(checkpoint.config).map(({ name, layer, input }) => [`${name}.weight`, layer === 0 && input === "attention" ? 1 : 2]));
    expect(Object.fromEntries(products)).toEqual({ ...expected, "model.embed_tokens.weight": 2 });
  });

  test("holds no gradient of a frozen tensor: nothing computed has the shape of a weight", () => {
    const graph = graphOf(kind);
    const shapes = new Set(modulesOf(checkpoint.config).map(({ out, in: size }) => `${out},${size}`).concat("300,24", "24"));
    const computed = graph.nodes.filter((node) => node.source.kind === "op" && !isOp(node, "Cast")).flatMap(({ outputs }) => outputs);
    expect(computed.filter(({ shape }) => shapes.has(shape.join())).map(({ id, shape }) => `%${id} [${shape}]`)).toEqual([]);
    expect(graph.nodes.some((node) => isOp(node, "ScatterAdd"))).toBe(false);
  });

  test("has one gradient for each tensor that learns, and none for what stays", () => {
    const { graph, trainable, fixed } = buildTrainGraph(checkpoint, { rank, kind, maxLength: 32 });
    expect(graph.outputs.map(({ name, value }) => `${name} ${value.shape}`)).toEqual(["loss ", ...trainable.map(({ name, shape }) => `grad.${name} ${shape}`)]);
    expect([trainable.length, fixed.length]).toEqual({ zero: [28, 0], both: [28, 28], b: [14, 28] }[kind]);
  });
});

test("logits exist at trained positions only: no value reaches batch × length × vocabulary", () => {
  for (const recomputed of ["none", "cheap", "scores", "layer"] as const) {
    const { vocabulary } = checkpoint.config;
    const graph = graphOf("both", recomputed);
    const { feeds } = trainFeeds(Array.from({ length: 50 }, (_, i) => tinyRow(51, i < 7 ? 1 : 0, i)), 7, checkpoint.config); // 2500 tokens computed, 7 trained
    const sizes = sizesOf(emitOnnx(graph), feeds);
    const values = graph.nodes.flatMap(({ outputs }) => outputs);
    const ofVocabulary = values.filter(({ shape, node }) => shape.at(-1) === vocabulary && node.source.kind === "op");
    expect(new Set(ofVocabulary.map(({ shape }) => shape.join()))).toEqual(new Set(["M,300"]));
    const largest = Math.max(...values.filter(({ shape }) => shape.some((dim) => typeof dim === "string")).map(({ shape }) => countElements(shape, sizes)));
    expect(largest).toBeLessThanOrEqual(50 * 2 * 16 * 64); // the scores of a block
    expect(largest).toBeLessThan(2500 * vocabulary);
  }
});

test("computing again instead of holding repeats what it says: nothing, cheap steps, or whole layers", () => {
  const repeatsOf = (recomputed: Recomputed): Set<string> =>
    new Set(graphOf("both", recomputed).nodes.flatMap(({ source }) => (source.kind === "op" && source.isRepeat ? [source.op] : [])));
  expect(repeatsOf("none")).toEqual(new Set());
  expect(repeatsOf("cheap").has("Gemm")).toBe(false);
  expect(repeatsOf("cheap").has("RmsNorm")).toBe(true);
  expect(repeatsOf("layer").has("Gemm")).toBe(true);
});

test("the passes change no number of the whole program", async () => {
  const { graph, trainable, fixed } = buildTrainGraph(checkpoint, { rank, kind: "both", maxLength: 32, recomputed: "layer" });
  const tensors = tinyAdapters(checkpoint, rank, 5);
  const feeds = {
    ...trainFeeds([tinyRow(9, 4, 1), tinyRow(14, 6, 2)], 10, checkpoint.config).feeds,
    ...Object.fromEntries([...trainable, ...fixed].map(({ name, shape }) => [name, f32(tensors.get(name)!, ...shape)])),
  };
  const [plain, passed] = [emitOnnx(dropDead(graph)), emitOnnx(optimize(graph))];
  const [expected, actual] = await Promise.all([plain, passed].map(async (program) => (await openSession(program, { weightsFolder: checkpoint.weights.folder, threads: 1 })).run(feeds)));
  const worst = Math.max(...Object.keys(expected).map((name) => relativeDistance(actual[name].data as Float32Array, expected[name].data as Float32Array)));
  console.log(`the passes: ${plain.nodeCount} → ${passed.nodeCount} nodes, results ${worst.toExponential(1)} apart`);
  expect(worst).toBeLessThan(1e-5); // products and sums in another order, through two layers
  expect(passed.nodeCount).toBeLessThan(plain.nodeCount);
});
