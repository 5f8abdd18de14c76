// Adapters in a graph: y = W0·x + B·A·x − B0·A0·x with A [R,in], B [out,R] as program inputs.
// In: which modules are adapted and how. Out: a Project for decoder.ts, and the inputs it declared.

import type { GraphBuilder } from "../graph/builder.ts";
import type { Value } from "../graph/value.ts";
import type { Project } from "./decoder.ts";
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
  const project: Project = (x, module, weight) => {
    const adapter = byName.get(module);
    const base = g.linear(x, weight);
    if (!adapter) return base;
    const { a, b, a0, b0 } = adapter;
    if (kind === "b") return g.linear(g.linear(x, a), g.sub(b, b0 as Value), base);
    const tuned = g.linear(g.linear(x, a), b, base);
    return a0 && b0 ? g.linear(g.linear(x, a0), g.neg(b0), tuned) : tuned;
  };
  return { project, trainable, fixed };
}

/** Adapters of finished runs for answering: each token weighs each rank direction, so one batch mixes base and tuned rows. */
export function answeringAdapters(g: GraphBuilder, modules: readonly Module[]): Project {
  const weighing = g.input("adapter.weights", "float32", ["N", "R"]); // 0 for a base row; PEFT's scale for a tuned one
  const byName = new Map(
    modules.map(({ name, out, in: size }) => [name, { a: g.input(`${name}.A`, "float32", ["R", size]), b: g.input(`${name}.B`, "float32", [out, "R"]) }] as const),
  );
  return (x, module, weight) => {
    const base = g.linear(x, weight);
    const adapter = byName.get(module);
    return adapter ? g.linear(g.mul(g.linear(x, adapter.a), weighing), adapter.b, base) : base;
  };
}

/** The base alone. */
export function noAdapters(g: GraphBuilder): Project {
  return (x, _module, weight) => g.linear(x, weight);
}
