// Reverse-mode differentiation: adds to a builder the nodes that compute cotangents of `wrt` from a scalar loss.
// In: a loss and the trainables, both of the builder's graph. Out: one cotangent per trainable.
// Cost: nodes only on paths from a trainable to the loss. A frozen weight gets no dW, and what lies below the first
// trainable gets no dx.

import type { GraphBuilder } from "./builder.ts";
import { isSameShape } from "./dims.ts";
import type { Attributes, Op } from "./ops.ts";
import { describeNode, type GraphNode, type Value } from "./value.ts";
import { vjp, type Cotangent } from "./vjp.ts";

/**
 * Cotangents of `wrt` for a scalar `loss` (shape []), in the order of `wrt`. `seed` scales them (default 1).
 * Throws where a trainable has no path to the loss: it would silently never learn.
 */
export function backward(g: GraphBuilder, loss: Value, wrt: readonly Value[], seed?: Value): Value[] {
  if (loss.shape.length !== 0) throw new Error(`backward: the loss must be a scalar, but it is ${describeNode(loss.node)}`);
  const nodes = g.graph().nodes.slice(0, loss.node.id + 1);
  const needed = reachableFrom(nodes, wrt);
  const cotangents = new Map<number, Value[]>([[loss.id, [seed ?? g.scalar(1, loss.dtype)]]]);

  for (const node of nodes.toReversed()) {
    if (node.source.kind !== "op" || !needed.has(node.id)) continue;
    const dys = node.outputs.map(({ id }) => {
      const pending = cotangents.get(id);
      return pending && sum(g, pending);
    });
    const [dy] = dys;
    if (!dy) continue;
    const rule = vjp[node.source.op] as (rule: { g: GraphBuilder; x: readonly Value[]; y: readonly Value[]; dy: Value; dys: readonly (Value | undefined)[]; attributes: Attributes }) => readonly Cotangent[];
    const thunks = rule({ g, x: node.inputs, y: node.outputs, dy, dys, attributes: node.source.attributes });
    node.inputs.forEach((input, i) => {
      if (!isOnPath(input, needed, wrt)) return;
      const thunk = thunks[i];
      if (!thunk) return;
      const cotangent = thunk();
      if (!isSameShape(cotangent.shape, input.shape)) throw new Error(`VJP of ${node.source.kind === "op" ? (node.source.op as Op) : ""} input ${i}: cotangent [${cotangent.shape}] for ${describeNode(node)}`);
      const list = cotangents.get(input.id);
      if (list) list.push(cotangent);
      else cotangents.set(input.id, [cotangent]);
    });
  }
  return wrt.map((value) => {
    const found = cotangents.get(value.id);
    if (!found) throw new Error(`backward: no path from ${describeNode(value.node)} to the loss, so it would never learn`);
    return sum(g, found);
  });
}

/** Ids of the nodes with a path from one of `wrt`. */
function reachableFrom(nodes: readonly GraphNode[], wrt: readonly Value[]): Set<number> {
  const reached = new Set<number>();
  for (const node of nodes) if (node.inputs.some((input) => isOnPath(input, reached, wrt))) reached.add(node.id);
  return reached;
}

function isOnPath(value: Value, reached: ReadonlySet<number>, wrt: readonly Value[]): boolean {
  return reached.has(value.node.id) || (value.node.source.kind !== "op" && wrt.includes(value));
}

function sum(g: GraphBuilder, parts: readonly Value[]): Value {
  return parts.slice(1).reduce((total, part) => g.add(total, part), parts[0]);
}
