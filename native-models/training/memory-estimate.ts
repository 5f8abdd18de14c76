// How much memory training takes at its fullest moment, as a sum of terms, worked out before it starts.
// In: the compiled programs and the heaviest micro-batches of the run (heaviest.ts). Out: bytes by term.
//
// weights      float32 in the runtime, whatever the file holds: 4 · Σ out·in, and the rotary tables.
// adapters     4·P for what trains and 4·F for what stays (A0 and B0, or A and B0), Σ over modules of R·(in + out); at the
//              end the start is read once more and the adapter put together from both, while the runtime still holds on.
// optimizer    two moments, the gradients of the step and of a micro-batch, 4·P each; three new vectors of an update as the
//              runtime hands them over, 12·P, and what its program holds between its nodes.
// activations  what the gradient program holds at its fullest node, by graph/liveness.ts on the very graph that runs. What
//              a layer keeps for the backward pass follows from programs/decoder.ts, graph/vjp.ts and passes/recompute.ts,
//              with N tokens of B rows of T places:
//                none   norms 2·[N,D] and their inverses, q k v after projection and rotation, scores and probabilities
//                       [B,G,rep·T,T], mixed values, gate, up and their product [N,F], A·x [N,ΣR], two residuals [N,D]
//                cheap  as none without norms, products of gate and up, scores and probabilities: these are worked out again
//                layer  the layer's input [N,D]; all of one layer's values for the layer that is being differentiated
// logits       the part of that moment whose last axis is the vocabulary: [M,V] of the M trained tokens, several times.
// validation   a second copy of the weights where validation and retention have a program of their own (one for both), and
//              what that holds while it runs.
// workspace    what the runtime's arena takes beyond what is alive (graph/arena.ts plays it through), the kernels' own
//              buffers, and the arrays that feed a step.
// process      Node with the runtime, the tokenizer and the rows' sizes, before the first program is loaded.

import { createArena } from "../graph/arena.ts";
import { countElements, memoryEvents, peakOf, type Sizes } from "../graph/liveness.ts";
import type { OnnxProgram } from "../graph/emit-onnx.ts";
import type { Graph } from "../graph/value.ts";
import type { BlockHeads } from "../programs/block-feeds.ts";
import { gradientName, trainFeeds, type TensorLayout, type TrainProgram, type TrainRow } from "../programs/train-program.ts";
import type { TensorData } from "../runtime/session.ts";
import type { RowSize } from "./heaviest.ts";
import type { MemoryTerm } from "./memory-terms.ts";

export interface MemoryEstimate {
  totalBytes: number;
  terms: Record<MemoryTerm, number>;
  /** The heaviest micro-batch. */
  microBatch: { rows: number; longest: number; tokens: number; trained: number };
}

export interface EstimateInputs {
  compiled: TrainProgram;
  /** The optimizer's program. */
  update: OnnxProgram;
  vocabulary: number;
  /** Candidates for the heaviest micro-batch. */
  microBatches: readonly (readonly RowSize[])[];
  /** Whether a step sums several micro-batches. */
  accumulates: boolean;
  validation: { program: OnnxProgram; microBatches: readonly (readonly RowSize[])[] } | null;
}

/** Measured (docs/memory.md): Node with the runtime's library, the tokenizer by its vocabulary, a program's nodes before they are emitted. */
export const processBytes = { fixed: 120e6, tokenizerEntry: 800, node: 6000 };
/** Measured: what kernels, threads and Node's heap hold on top of the arena, fixed and as a share of the arena. */
export const aside = { fixedBytes: 70e6, share: 0.15 };

export function estimateMemory({ compiled, update, vocabulary, microBatches, accumulates, validation }: EstimateInputs): MemoryEstimate {
  const P = countParameters(compiled.trainable);
  const fixed = countParameters(compiled.fixed);
  const isGradient = new Set(compiled.trainable.map(({ name }) => gradientName(name)));
  const { steps, touchedBytes } = playedThrough(compiled.program, microBatches, compiled.heads, vocabulary, (output) => isGradient.has(output));
  const step = steps.reduce((most, one) => (one.liveBytes > most.liveBytes ? one : most));
  const evaluation = validation ? playedThrough(validation.program, validation.microBatches, compiled.heads, vocabulary).touchedBytes : 0;
  const updating = createArena();
  updating.play(memoryEvents(update.graph, { P }));
  const terms: Record<MemoryTerm, number> = {
    weights: weightBytes(compiled.program.graph),
    adapters: 4 * (P + fixed) + 4 * fixed * exportCopies(compiled),
    optimizer: 4 * P * (accumulates ? 4 : 3) + 12 * P + updating.touchedBytes(),
    activations: step.liveBytes - step.logitsBytes,
    logits: step.logitsBytes,
    validation: validation ? weightBytes(validation.program.graph) + evaluation : 0,
    workspace: touchedBytes - step.liveBytes + step.fedBytes + aside.fixedBytes + aside.share * (touchedBytes + evaluation),
    process: processBytes.fixed + processBytes.tokenizerEntry * vocabulary + processBytes.node * compiled.program.nodeCount,
  };
  const tokens = step.rows.map((row) => row.tokens);
  return {
    totalBytes: Object.values(terms).reduce((sum, bytes) => sum + bytes, 0),
    terms,
    microBatch: {
      rows: step.rows.length,
      longest: Math.max(...tokens),
      tokens: tokens.reduce((sum, count) => sum + count, 0),
      trained: step.rows.reduce((sum, { trained }) => sum + trained, 0),
    },
  };
}

/** Copies of the start's size that putting the adapter together takes: read again, and [A; A0], [B, −B0] or A, B − B0. */
function exportCopies({ trainable, fixed }: TrainProgram): number {
  if (fixed.length === 0) return 0; // what was trained is the adapter
  return fixed.length === trainable.length ? 3 : 2;
}

interface StepMemory {
  rows: readonly RowSize[];
  /** Alive at the fullest node, and of that what is as wide as the vocabulary. */
  liveBytes: number;
  logitsBytes: number;
  /** Arrays that feed the step. */
  fedBytes: number;
}

/** What a program holds while it runs on each of these micro-batches, and what its arena has touched after all of them. */
function playedThrough(program: OnnxProgram, microBatches: readonly (readonly RowSize[])[], heads: BlockHeads, vocabulary: number, isGiven?: (output: string) => boolean): { steps: StepMemory[]; touchedBytes: number } {
  const arena = createArena();
  const steps = microBatches.map((rows): StepMemory => {
    const { feeds } = trainFeeds(rows.map(rowLike), 1, heads);
    const events = memoryEvents(program.graph, sizesOf(program, feeds), isGiven);
    const { peakBytes, live } = peakOf(events);
    arena.play(events);
    return {
      rows,
      liveBytes: peakBytes,
      logitsBytes: live.reduce((sum, { shape, bytes }) => sum + (shape.at(-1) === vocabulary ? bytes : 0), 0),
      fedBytes: Object.values(feeds).reduce((sum, { data }) => sum + data.byteLength, 0),
    };
  });
  return { steps, touchedBytes: arena.touchedBytes() };
}

/** A row of that size: what its own tokens are changes nothing. */
function rowLike({ tokens, trained, shared }: RowSize, index: number): TrainRow {
  const first = tokens - Math.min(trained, tokens - 1);
  return { ids: new Int32Array(tokens).fill(1 + index, Math.min(shared, tokens)), isTrained: Uint8Array.from({ length: tokens }, (_, t) => (t >= first ? 1 : 0)) };
}

/** The number behind each symbol of the program's inputs, as `feeds` has it. */
export function sizesOf(program: Pick<OnnxProgram, "inputs">, feeds: Readonly<Record<string, TensorData>>): Sizes {
  const sizes: Record<string, number> = {};
  for (const { name, shape } of program.inputs) {
    shape.forEach((dim, i) => {
      const size = feeds[name]?.dims[i];
      if (typeof dim === "string" && /^\w+$/.test(dim) && size !== undefined) sizes[dim] = size;
    });
  }
  return sizes;
}

function countParameters(layout: readonly TensorLayout[]): number {
  return layout.reduce((sum, { shape }) => sum + shape[0] * shape[1], 0);
}

/** Weights and constants of a graph as the runtime holds them, each file range once. */
export function weightBytes(graph: Graph): number {
  const seen = new Set<string>();
  return graph.nodes.reduce((sum, { source, outputs }) => {
    if (source.kind !== "weight" && source.kind !== "constant") return sum;
    if (source.kind === "weight") {
      const range = `${source.external.file} ${source.external.offsetBytes}`;
      if (seen.has(range)) return sum;
      seen.add(range);
    }
    return sum + 4 * countElements(outputs[0]!.shape, {});
  }, 0);
}
