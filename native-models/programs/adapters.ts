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

export interface TrainableInput {
  /** "model.layers.0.mlp.up_proj.A" */
  name: string;
  value: Value;
  shape: readonly [number, number];
}

export interface TrainingAdapters {
  project: Project;
  /** Inputs that learn, in module order, A before B. */
  trainable: TrainableInput[];
  /** Inputs that stay: the start's A0 and B0, or v2's A. */
  fixed: TrainableInput[];
}

/** The tensors that learn, in the order in which a training keeps them: module by module, A before B. */
export function trainedTensors(modules: readonly Module[], rank: number, kind: AdapterKind): { name: string; shape: readonly [number, number] }[] {
  return modules.flatMap(({ name, out, in: size }) => [
    ...(kind === "b" ? [] : [{ name: `${name}.A`, shape: [rank, size] as const }]),
    { name: `${name}.B`, shape: [out, rank] as const },
  ]);
}

export function trainingAdapters(g: GraphBuilder, modules: readonly Module[], rank: number, kind: AdapterKind): TrainingAdapters {
  const trainable: TrainableInput[] = [];
  const fixed: TrainableInput[] = [];
  const declare = (list: TrainableInput[], name: string, shape: readonly [number, number]): Value => {
    const value = g.input(name, "float32", shape);
    list.push({ name, value, shape });
    return value;
  };
  const byName = new Map(
    modules.map(({ name, out, in: size }) => {
      const a = declare(kind === "b" ? fixed : trainable, `${name}.A`, [rank, size]);
      const b = declare(trainable, `${name}.B`, [out, rank]);
      const a0 = kind === "both" ? declare(fixed, `${name}.A0`, [rank, size]) : null;
      const b0 = kind === "zero" ? null : declare(fixed, `${name}.B0`, [out, rank]);
      return [name, { a, b, a0, b0 }] as const;
    }),
  );
  /** The pair whose product is the whole update: [A; A0] and [B, −B0], or A and B − B0 where A stays. */
  const updateOf = (module: string): { a: Value; b: Value } => {
    const { a, b, a0, b0 } = byName.get(module) as NonNullable<ReturnType<typeof byName.get>>;
    if (kind === "b") return { a, b: g.sub(b, b0 as Value) };
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
