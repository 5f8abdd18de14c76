// c + a·b becomes one Gemm with c as its third input, where nothing else reads the product: saves a pass over memory.

import { isSameShape } from "../dims.ts";
import { countReads, rewrite } from "../rewrite.ts";
import type { Graph, Value } from "../value.ts";

export function fuseGemmAdd(graph: Graph): Graph {
  const reads = countReads(graph);
  return rewrite(graph, (node, inputs, keep) => {
    if (node.source.kind === "op" && node.source.op === "Add" && isSameShape(inputs[0].shape, inputs[1].shape)) {
      // The product with more arithmetic takes the other value as c: adding on costs it least.
      const order = innerSize(inputs[0]) >= innerSize(inputs[1]) ? [0, 1] : [1, 0];
      for (const at of order) {
        const product = inputs[at];
        const other = inputs[1 - at];
        const source = product.node.source;
        const isSole = reads.get(node.inputs[at].id) === 1;
        if (source.kind !== "op" || source.op !== "Gemm" || product.node.inputs.length > 2 || !isSole || other === product) continue;
        return keep(source, [...product.node.inputs, other], node.outputs);
      }
    }
    return null;
  });
}

/** Length of the sums of a Gemm, as far as it is known; 0 for anything else. */
function innerSize({ node }: Value): number {
  if (node.source.kind !== "op" || node.source.op !== "Gemm") return 0;
  const { transposeA } = node.source.attributes as { transposeA: boolean };
  const inner = node.inputs[0].shape[transposeA ? 0 : 1];
  return typeof inner === "number" ? inner : Infinity;
}
