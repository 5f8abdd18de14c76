// Projections that read the same input as one product: a decoding step is short products, and each costs as much in being
// started as in being computed. In: weights as they are or rounded, and adapters side by side (answering/adapter-feeds.ts).
// Out: a Project for decoder.ts, whose parts are slices of the joined outputs.

import type { ModelConfig } from "../checkpoint/types.ts";
import type { GraphBuilder } from "../graph/builder.ts";
import { oneOr } from "../graph/dims.ts";
import type { Value } from "../graph/value.ts";
import type { QuantisedModel } from "../quantised/quantised-model.ts";
import type { Project } from "./decoder.ts";
import { groupsOf, type ModuleGroup } from "./names.ts";
import { quantisedProduct } from "./quantised-weights.ts";

export interface JoinedProducts {
  project: Project;
  /** The joined outputs [N,Σout] that begin with this part of them. */
  joinedFrom(first: Value): Value;
}

export interface JoinedOptions {
  /** Whether the program takes adapters and a weighing of their directions for each token. */
  hasAdapters: boolean;
  quantised: QuantisedModel | null;
}

export function joinedProducts(g: GraphBuilder, config: ModelConfig, { hasAdapters, quantised }: JoinedOptions): JoinedProducts {
  const groups = new Map(groupsOf(config).map((group) => [group.modules[0].name, group]));
  const joined = new Map<Value, Value>();
  const update = hasAdapters ? adapterUpdates(g, [...groups.values()]) : null;

  const project: Project = (x, projected) => {
    const group = groups.get(projected[0].module) as ModuleGroup;
    const change = update?.(group, x);
    // The wide product adds onto the thin one where it can: the other way round costs one more pass over [N,out].
    const plain = (): Value => g.linear(x, g.concat(projected.map(({ weight }) => weight), 0), change);
    const rounded = (model: QuantisedModel): Value => {
      const product = quantisedProduct(g, model, x, `${group.name}.weight`);
      return change ? g.add(product, change) : product;
    };
    const all = quantised ? rounded(quantised) : plain();
    let start = 0;
    const parts = group.modules.map(({ out }) => (start += out, group.modules.length === 1 ? all : g.slice(all, 1, start - out, start)));
    joined.set(parts[0], all);
    return parts;
  };
  return { project, joinedFrom: (first) => joined.get(first) as Value };
}

/**
 * B·weigh(A·x) of a group: each token weighs each rank direction, so one batch mixes base and tuned rows. Where all rows are
 * base rows one token stands for all: its update, nothing, is added to every one, and costs next to nothing.
 */
function adapterUpdates(g: GraphBuilder, groups: readonly ModuleGroup[]): (group: ModuleGroup, x: Value) => Value {
  const adapted = oneOr("N");
  const tokens = g.input("adapter.tokens", "int64", [adapted]); // all of them, or one
  const weighing = g.input("adapter.weights", "float32", [adapted, "R"]); // 0 for a base row; 1 for its adapter's directions
  const repeated = new Map<number, Value>();
  const weighingOf = (count: number): Value => {
    const known = repeated.get(count) ?? g.concat(Array.from({ length: count }, () => weighing), 1);
    repeated.set(count, known);
    return known;
  };
  const declared = new Map(
    groups.map((group) => {
      const rank = weighingOf(group.modules.length).shape[1]; // n·R
      return [group.name, { a: g.input(`${group.name}.A`, "float32", [rank, group.in]), b: g.input(`${group.name}.B`, "float32", [group.out, rank]) }] as const;
    }),
  );
  return ({ name, modules }, x) => {
    const { a, b } = declared.get(name) as { a: Value; b: Value };
    return g.linear(g.mul(g.gather(g.linear(x, a), tokens), weighingOf(modules.length)), b);
  };
}
