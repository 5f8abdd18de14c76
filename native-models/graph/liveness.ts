// How much memory one run of a graph holds at its fullest moment.
// In: an optimized graph and a number for each symbol (N, B, T, M). Out: bytes of what the runtime keeps between nodes,
// and what is alive at the worst node. Inputs, weights and outputs that the caller gives room for are not counted: they
// are the caller's.
// It follows what the runtime does: nodes depth first (emit-onnx.ts says why), a tensor freed after its last reader,
// reshapes free, what depends on weights alone worked out when the program is loaded. Source: ONNX Runtime's graph.cc
// (ReverseDFSFrom) and allocation_planner.cc (MayInplace, Alias).

import type { Dim, Shape } from "./dims.ts";
import type { Op } from "./ops.ts";
import type { Dtype, Graph, GraphNode, Value } from "./value.ts";

export type Sizes = Readonly<Record<string, number>>;

export interface Liveness {
  peakBytes: number;
  /** The node that runs at the peak. */
  node: GraphNode;
  /** What is alive then. */
  live: readonly { value: Value; bytes: number }[];
}

/** Ops whose kernel writes over its first input where that dies there; all others take new memory (measured, op by op). */
const inPlace: ReadonlySet<Op> = new Set(["Sigmoid", "Softmax", "ScatterAdd"]);
/** Bytes of an op's own temporaries, by the sizes of its outputs. */
const temporaries: Partial<Record<Op, (outputs: readonly number[]) => number>> = {
  SwiGlu: ([y]) => y, // the activated gate, until it is multiplied in place
  SoftmaxMatMul: ([, p]) => p, // the probabilities exist whether they are read later or not
};
const elementBytes: Record<Dtype, number> = { float32: 4, float64: 8, int64: 8, int32: 4, bool: 1, bfloat16: 2, float16: 2 };

/** `isGiven`: outputs that are written into the caller's arrays. */
export function peakLiveBytes(graph: Graph, sizes: Sizes, isGiven: (output: string) => boolean = () => false): Liveness {
  const order = runOrder(graph);
  const given = new Set(graph.outputs.filter(({ name }) => isGiven(name)).map(({ value }) => value.id));
  const kept = new Set(graph.outputs.map(({ value }) => value.id));
  const folded = foldedNodes(order);
  const reads = new Map<number, number>();
  for (const node of order) for (const { id } of node.inputs) reads.set(id, (reads.get(id) ?? 0) + 1);

  const buffers = new Map<number, Buffer>();
  const live = new Map<Buffer, Value>();
  let liveBytes = 0;
  let peak: Liveness | null = null;
  const hold = (value: Value): void => {
    const bytes = given.has(value.id) ? 0 : bytesOf(value, sizes);
    const buffer: Buffer = { bytes, readsLeft: 0 };
    buffers.set(value.id, buffer);
    live.set(buffer, value);
    liveBytes += bytes;
  };
  for (const node of order) {
    if (node.source.kind !== "op" || folded.has(node.id)) continue;
    const { op } = node.source;
    const written = node.outputs.filter(({ id }) => reads.has(id) || kept.has(id));
    for (const output of written) {
      const over = given.has(output.id) ? undefined : overwritten(node, op, output, buffers, sizes);
      if (over) buffers.set(output.id, over);
      else hold(output);
      const buffer = buffers.get(output.id) as Buffer;
      buffer.readsLeft += (reads.get(output.id) ?? 0) + (kept.has(output.id) ? 1 : 0);
    }
    const own = temporaries[op]?.(node.outputs.map((output) => (op === "SoftmaxMatMul" && written.includes(output) ? 0 : bytesOf(output, sizes)))) ?? 0;
    if (!peak || liveBytes + own > peak.peakBytes) peak = { peakBytes: liveBytes + own, node, live: [...live].map(([buffer, value]) => ({ value, bytes: buffer.bytes })) };
    for (const { id } of node.inputs) {
      const buffer = buffers.get(id);
      if (!buffer) continue; // an input or a weight
      buffer.readsLeft -= 1;
      if (buffer.readsLeft > 0) continue;
      live.delete(buffer);
      liveBytes -= buffer.bytes;
    }
  }
  if (!peak) throw new Error("The graph computes nothing");
  return peak;
}

interface Buffer {
  bytes: number;
  /** Reads to come of all the values that lie in it. */
  readsLeft: number;
}

/** The buffer of an input that the output is written over, or that it is a view of. */
function overwritten(node: GraphNode, op: Op, output: Value, buffers: ReadonlyMap<number, Buffer>, sizes: Sizes): Buffer | undefined {
  if (op === "Reshape") return buffers.get(node.inputs[0].id);
  if (!inPlace.has(op)) return undefined;
  const first = buffers.get(node.inputs[0].id);
  return first?.readsLeft === 1 && first.bytes === bytesOf(output, sizes) ? first : undefined;
}

/** Nodes as the runtime orders them: depth first from those nobody reads, the earliest made of these first; inputs made last first. */
function runOrder(graph: Graph): GraphNode[] {
  const read = new Set(graph.nodes.flatMap(({ inputs }) => inputs.map(({ node }) => node.id)));
  const order: GraphNode[] = [];
  const seen = new Set<number>();
  for (const last of graph.nodes.filter(({ id }) => !read.has(id))) {
    const stack: { node: GraphNode; isLeaving: boolean }[] = [{ node: last, isLeaving: false }];
    for (let entry = stack.pop(); entry; entry = stack.pop()) {
      if (entry.isLeaving) order.push(entry.node);
      if (entry.isLeaving || seen.has(entry.node.id)) continue;
      seen.add(entry.node.id);
      stack.push({ node: entry.node, isLeaving: true });
      const needs = [...new Set(entry.node.inputs.map(({ node }) => node))].sort((a, b) => a.id - b.id);
      for (const node of needs) if (!seen.has(node.id)) stack.push({ node, isLeaving: false });
    }
  }
  return order;
}

/** Nodes that the runtime computes when it loads the program. */
function foldedNodes(order: readonly GraphNode[]): Set<number> {
  const folded = new Set<number>();
  for (const { id, source, inputs } of order) {
    if (source.kind === "weight" || source.kind === "constant") folded.add(id);
    else if (source.kind === "op" && inputs.every(({ node }) => folded.has(node.id))) folded.add(id);
  }
  return folded;
}

function bytesOf(value: Value, sizes: Sizes): number {
  return elementBytes[value.dtype] * countElements(value.shape, sizes);
}

export function countElements(shape: Shape, sizes: Sizes): number {
  return shape.reduce<number>((count, dim) => count * sizeOf(dim, sizes), 1);
}

/** A dimension's number: symbols are sums of products ("3*T", "P+T"). */
function sizeOf(dim: Dim, sizes: Sizes): number {
  if (typeof dim === "number") return dim;
  return dim.split("+").reduce((sum, term) => sum + term.split("*").reduce((size, factor) => size * factorOf(factor, sizes), 1), 0);
}

function factorOf(factor: string, sizes: Sizes): number {
  const size = sizes[factor] ?? Number(factor);
  if (Number.isNaN(size)) throw new Error(`No size is given for ${factor}`);
  return size;
}
