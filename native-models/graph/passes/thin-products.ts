// aᵀ·b with a wide and b thin becomes (bᵀ·a)ᵀ: the kernel then transposes the thin operand instead of the wide one
// before it multiplies. Such products are the gradients of B, from [N,out] and [N,R].

import { rewrite } from "../rewrite.ts";
import type { Graph } from "../value.ts";

/** From how many times wider on it pays. */
const ratio = 4;

export function turnThinProducts(graph: Graph): Graph {
  return rewrite(graph, (node, inputs, keep) => {
    const { source } = node;
    if (source.kind !== "op" || source.op !== "Gemm" || inputs.length !== 2) return null;
    const { transposeA, transposeB } = source.attributes as { transposeA: boolean; transposeB: boolean };
    const [rows, columns] = node.outputs[0].shape;
    if (!transposeA || transposeB || typeof rows !== "number" || typeof columns !== "number" || rows < ratio * columns) return null;
    const { dtype } = node.outputs[0];
    const [turned] = keep(source, [inputs[1], inputs[0]], [{ dtype, shape: [columns, rows] }]);
    return keep({ kind: "op", op: "Transpose", attributes: { permutation: [1, 0] } }, [turned], node.outputs);
  });
}
