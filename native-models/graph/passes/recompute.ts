// Memory for time: forward values that the backward pass reads are computed again for it, from those that are kept.
// In: a graph with its forward nodes first, the id of the first backward node, and which forward nodes keep their
// outputs. Out: the same graph with repeats, each made right before its first reader (emit-onnx.ts's order runs it there).
// Runs before any other pass: it tells forward from backward by node ids.
// Source: Chen et al., "Training Deep Nets with Sublinear Memory Cost", arXiv 1604.06174.

import { rewrite } from "../rewrite.ts";
import type { Graph, Value } from "../value.ts";

/** Whether a forward value is held until the backward pass reads it. */
export type Keeps = (value: Value) => boolean;

export function recompute(graph: Graph, firstBackward: number, keeps: Keeps): Graph {
  const repeats = new Map<number, readonly Value[]>(); // id of a forward node → outputs of its repeat
  return rewrite(graph, (node, inputs, keep) => {
    if (node.id < firstBackward || node.source.kind !== "op") return null;
    const again = (value: Value): Value => {
      const { source, id, inputs: needs, outputs } = value.node;
      // Forward nodes come first and one for one, so a rewritten one has its old id.
      if (source.kind !== "op" || id >= firstBackward || keeps(value)) return value;
      let repeated = repeats.get(id);
      if (!repeated) {
        repeated = keep({ ...source, isRepeat: true }, needs.map(again), outputs);
        repeats.set(id, repeated);
      }
      return repeated[value.index];
    };
    return keep(node.source, inputs.map(again), node.outputs);
  });
}
