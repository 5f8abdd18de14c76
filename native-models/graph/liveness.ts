// What one run of a graph takes and gives back, tensor by tensor, in the order in which the runtime does it.
// In: an optimized graph and a number for each symbol (N, B, T, M). Out: takings and givings for arena.ts, and the bytes
// alive at the worst moment. Inputs, weights and outputs that the caller gives room for are not counted: they are the
// caller's.
// It follows the runtime on the very nodes that lowering.ts writes: depth first (emit-onnx.ts says why), a tensor freed
// after its last reader, reshapes views of their input, what depends on weights alone worked out when the program is
// loaded. Source: ONNX Runtime's graph.cc (ReverseDFSFrom) and allocation_planner.cc (MayInplace, Alias).

import type { Dim, Shape } from "./dims.ts";
import { lowerings, type Emitter } from "./lowering.ts";
import type { Attributes } from "./ops.ts";
import type { Dtype, Graph, Value } from "./value.ts";

export type Sizes = Readonly<Record<string, number>>;

export interface LiveTensor {
  bytes: number;
  shape: readonly number[];
  /** ONNX op that computes it. */
  op: string;
}

/** A tensor takes its memory, or gives it back. */
export type MemoryEvent = { takes: LiveTensor } | { gives: LiveTensor };

export interface Liveness {
  peakBytes: number;
  /** What is alive then. */
  live: readonly LiveTensor[];
}

/** `isGiven`: outputs that are written into the caller's arrays. */
export function peakLiveBytes(graph: Graph, sizes: Sizes, isGiven?: (output: string) => boolean): Liveness {
  return peakOf(memoryEvents(graph, sizes, isGiven));
}

export function peakOf(events: readonly MemoryEvent[]): Liveness {
  const live = new Set<LiveTensor>();
  let [bytes, peakBytes, atPeak] = [0, 0, -1];
  events.forEach((event, i) => {
    bytes += "takes" in event ? event.takes.bytes : -event.gives.bytes;
    if (bytes > peakBytes) [peakBytes, atPeak] = [bytes, i];
  });
  for (const event of events.slice(0, atPeak + 1)) {
    if ("takes" in event) live.add(event.takes);
    else live.delete(event.gives);
  }
  return { peakBytes, live: [...live] };
}

export function memoryEvents(graph: Graph, sizes: Sizes, isGiven: (output: string) => boolean = () => false): MemoryEvent[] {
  const { nodes, shapes, dtypes } = lowered(graph, sizes);
  const reads = new Map<string, number>();
  for (const { inputs } of nodes) for (const name of inputs) reads.set(name, (reads.get(name) ?? 0) + 1);
  // The caller gets its outputs when the run is over: they stay.
  const given = new Set<string>();
  for (const { name, value } of graph.outputs) {
    if (isGiven(name)) given.add(nameOf(value));
    else reads.set(nameOf(value), (reads.get(nameOf(value)) ?? 0) + 1);
  }
  const events: MemoryEvent[] = [];
  const held = new Map<string, Held>();
  for (const { op, inputs, outputs } of runOrder(nodes)) {
    for (const name of outputs) {
      const readsLeft = reads.get(name) ?? 0;
      if (name === "" || given.has(name)) continue;
      const shape = shapes.get(name) ?? shapeOfFresh(op, inputs.map((input) => shapes.get(input)));
      shapes.set(name, shape);
      const bytes = elementBytes[dtypes.get(name) ?? "float32"] * product(shape);
      const over = placeOver(op, held.get(inputs[0]!), bytes);
      if (over) {
        over.readsLeft += readsLeft;
        held.set(name, over);
        continue;
      }
      const tensor: LiveTensor = { bytes, shape, op };
      held.set(name, { tensor, readsLeft });
      events.push({ takes: tensor });
      if (readsLeft === 0) events.push({ gives: tensor });
    }
    for (const name of inputs) {
      const one = held.get(name);
      if (!one) continue; // an input, a weight, or what was worked out from weights
      one.readsLeft -= 1;
      if (one.readsLeft === 0) events.push({ gives: one.tensor });
    }
  }
  return events;
}

interface Held {
  tensor: LiveTensor;
  /** Reads to come of all the names that lie in it. */
  readsLeft: number;
}

interface LoweredNode {
  op: string;
  inputs: readonly string[];
  outputs: readonly string[];
}

const elementBytes: Record<Dtype, number> = { float32: 4, float64: 8, int64: 8, int32: 4, bool: 1, uint8: 1, bfloat16: 2, float16: 2 };
const views: ReadonlySet<string> = new Set(["Reshape", "Unsqueeze"]);
/** Kernels that write over their first input where it dies there; all others take new memory (measured, op by op). */
const inPlace: ReadonlySet<string> = new Set(["Sigmoid", "Softmax", "LogSoftmax", "ScatterND"]);

function placeOver(op: string, first: Held | undefined, bytes: number): Held | undefined {
  if (!first) return undefined;
  if (views.has(op)) return first;
  return inPlace.has(op) && first.readsLeft === 1 && first.tensor.bytes === bytes ? first : undefined;
}

/** Shapes of tensors that lowering adds within an op. */
function shapeOfFresh(op: string, inputs: readonly (readonly number[] | undefined)[]): readonly number[] {
  const known = inputs.filter((shape) => shape !== undefined);
  const largest = known.reduce((most, shape) => (product(shape) > product(most) ? shape : most), known[0] ?? []);
  if (op.startsWith("Reduce")) return [...largest.slice(0, -1), 1];
  if (op === "Gather") return [...(inputs[1] ?? []), ...(inputs[0] ?? []).slice(1)];
  if (op === "Gemm") return [inputs[0]?.[0] ?? 1, inputs[1]?.[0] ?? 1]; // x·wᵀ
  return largest;
}

/** The graph as ONNX nodes, without those that the runtime works out when it loads the program. */
function lowered(graph: Graph, sizes: Sizes): { nodes: LoweredNode[]; shapes: Map<string, readonly number[]>; dtypes: Map<string, Dtype> } {
  const nodes: LoweredNode[] = [];
  const shapes = new Map<string, readonly number[]>();
  const dtypes = new Map<string, Dtype>();
  const loaded = new Set<number>();
  const read = new Set([...graph.nodes.flatMap(({ inputs }) => inputs), ...graph.outputs.map(({ value }) => value)].map(({ id }) => id));
  let freshCount = 0;
  const emit: Emitter = {
    node: (op, inputs, outputs) => void nodes.push({ op, inputs, outputs }),
    int64: () => "",
    fresh: (shape) => {
      const name = `t${freshCount++}`;
      if (shape) shapes.set(name, shape.map((dim) => sizeOf(dim, sizes)));
      return name;
    },
  };
  for (const node of graph.nodes) {
    for (const value of node.outputs) {
      shapes.set(nameOf(value), value.shape.map((dim) => sizeOf(dim, sizes)));
      dtypes.set(nameOf(value), value.dtype);
    }
    const { source } = node;
    if (source.kind === "weight" || source.kind === "constant" || (source.kind === "op" && node.inputs.every((input) => loaded.has(input.node.id)))) loaded.add(node.id);
    else if (source.kind === "op") {
      const lower = lowerings[source.op] as (node: { emit: Emitter; x: readonly Value[]; y: readonly Value[]; inputs: string[]; outputs: string[]; attributes: Attributes }) => void;
      lower({ emit, x: node.inputs, y: node.outputs, inputs: node.inputs.map(nameOf), outputs: node.outputs.map((value) => (read.has(value.id) ? nameOf(value) : "")), attributes: source.attributes });
    }
  }
  return { nodes, shapes, dtypes };
}

/** Nodes as the runtime orders them: depth first from those nobody reads, the earliest made of these first; inputs made last first. */
function runOrder(nodes: readonly LoweredNode[]): LoweredNode[] {
  const makers = new Map<string, number>();
  nodes.forEach(({ outputs }, i) => outputs.forEach((name) => makers.set(name, i)));
  const needs = nodes.map(({ inputs }) => [...new Set(inputs.flatMap((name) => (name === "" ? [] : (makers.get(name) ?? []))))].sort((a, b) => a - b));
  const read = new Set(needs.flat());
  const order: LoweredNode[] = [];
  const seen = new Set<number>();
  for (const last of nodes.keys().filter((i) => !read.has(i))) {
    const stack = [{ i: last, isLeaving: false }];
    for (let entry = stack.pop(); entry; entry = stack.pop()) {
      if (entry.isLeaving) order.push(nodes[entry.i]!);
      if (entry.isLeaving || seen.has(entry.i)) continue;
      seen.add(entry.i);
      stack.push({ i: entry.i, isLeaving: true });
      for (const i of needs[entry.i]!) if (!seen.has(i)) stack.push({ i, isLeaving: false });
    }
  }
  return order;
}

function nameOf({ id }: Value): string {
  return `v${id}`;
}

function product(shape: readonly number[]): number {
  return shape.reduce((count, size) => count * size, 1);
}

export function countElements(shape: Shape, sizes: Sizes): number {
  return product(shape.map((dim) => sizeOf(dim, sizes)));
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
