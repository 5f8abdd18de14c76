// Adapters in a graph: y = W0·x + B·A·x − B0·A0·x with A [R,in], B [out,R] as program inputs.
// In: which modules are adapted and how. Out: a Project for decoder.ts, and the inputs it declared.

import type { GraphBuilder } from "../graph/builder.ts";
import type { Value } from "../graph/value.ts";
import type { Project, Projected } from "./decoder.ts";
import type { Module } from "./names.ts";

/**
 * How the trained adapter relates to its start:
 * "both": A and B train, the start B0·A0 is taken off (LoRA-Null v1) · "b": only B trains, A stays (v2), so
 * (B − B0)·A · "zero": A and B train and B starts at 0, so nothing is taken off (LoRA).
 */
export type AdapterKind = "both" | "b" | "zero";

interface Tensor {
  /** "model.layers.0.mlp.up_proj.A" */
  name: string;
  shape: readonly [number, number];
}

export interface TrainableInput extends Tensor {
  value: Value;
}

export interface TrainingAdapters {
  project: Project;
  /** Inputs that learn, in module order, A before B. */
  trainable: TrainableInput[];
  /** Inputs that stay. */
  fixed: TrainableInput[];
}

/** The tensors that learn, in the order in which a training keeps them: module by module, A before B. */
export function trainedTensors(modules: readonly Module[], rank: number, kind: AdapterKind): Tensor[] {
  return modules.flatMap(({ name, out, in: size }) => [
    ...(kind === "b" ? [] : [{ name: `${name}.A`, shape: [rank, size] as const }]),
    { name: `${name}.B`, shape: [out, rank] as const },
  ]);
}

/** Those that stay: the start's A0 and B0, or v2's A and B0. */
function fixedTensors(modules: readonly Module[], rank: number, kind: AdapterKind): Tensor[] {
  if (kind === "zero") return [];
  return modules.flatMap(({ name, out, in: size }) => [{ name: `${name}.${kind === "b" ? "A" : "A0"}`, shape: [rank, size] as const }, { name: `${name}.B0`, shape: [out, rank] as const }]);
}

export function trainingAdapters(g: GraphBuilder, modules: readonly Module[], rank: number, kind: AdapterKind): TrainingAdapters {
  const declare = (tensors: readonly Tensor[]): TrainableInput[] => tensors.map(({ name, shape }) => ({ name, shape, value: g.input(name, "float32", shape) }));
  const trainable = declare(trainedTensors(modules, rank, kind));
  const fixed = declare(fixedTensors(modules, rank, kind));
  const values = new Map([...trainable, ...fixed].map(({ name, value }) => [name, value]));
  /** The pair whose product is the whole update: [A; A0] and [B, −B0], or A and B − B0 where A stays. */
  const updateOf = (module: string): { a: Value; b: Value } => {
    const [a, b] = [values.get(`${module}.A`)!, values.get(`${module}.B`)!];
    const [a0, b0] = [values.get(`${module}.A0`), values.get(`${module}.B0`)];
    if (kind === "b") return { a, b: g.sub(b, b0!) };
    return a0 && b0 ? { a: g.concat([a, a0], 0), b: g.concat([b, g.neg(b0)], 1) } : { a, b };
  };
  const project: Project = (x, group) => applyGroup(g, x, group, group.map(({ module }) => updateOf(module)));
  return { project, trainable, fixed };
}

/**
 * W0·x + B·A·x for projections that read the same x. Their A stand in one matrix, so x is read once for all of them
 * forward, and its cotangent is one product backward.
 */
function applyGroup(g: GraphBuilder, x: Value, group: readonly Projected[], updates: readonly { a: Value; b: Value }[]): Value[] {
  const ranks = updates.map(({ a }) => a.shape[0]);
  const joined = ranks.every((rank) => typeof rank === "number") ? g.linear(x, g.concat(updates.map(({ a }) => a), 0)) : null; // [N,ΣR]
  let start = 0;
  return group.map(({ weight }, i) => {
    const { a, b } = updates[i];
    const from = start;
    start += joined ? (ranks[i] as number) : 0;
    const u = !joined ? g.linear(x, a) : updates.length === 1 ? joined : g.slice(joined, 1, from, start);
    // The wide product adds onto the thin one: the other way round costs one more pass over [N,out].
    return g.linear(x, weight, g.linear(u, b));
  });
}

/** The base alone. */
export function noAdapters(g: GraphBuilder): Project {
  return (x, group) => group.map(({ weight }) => g.linear(x, weight));
}
