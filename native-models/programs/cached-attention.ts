// Attention of new tokens over what rows hold already, from queries, keys and values that came out of one product.
// In: joined rows [N,(H+2G)·E] of packed tokens, maps from them to the rows' places (answering/attention-feeds.ts), and of
// each layer the prefixes and the cache. Out: mixed values of every token, and the keys and values of the new tokens.
// Rows stand n deep in A lanes. A lane has one prefix, read where it lies for all of its rows (as in Hydragen,
// arXiv 2402.05099); everything else a row sees is its own. Keys are kept as they are used: rotated, with half of the
// softmax scale.

import type { ModelConfig } from "../checkpoint/types.ts";
import type { GraphBuilder, KeysAndValues } from "../graph/builder.ts";
import { product, times } from "../graph/dims.ts";
import type { Value } from "../graph/value.ts";
import type { Mix } from "./decoder.ts";
import { rotaryTables } from "./rotary-tables.ts";

export interface CachedAttentionOptions {
  config: ModelConfig;
  /** [N,1]. */
  positions: Value;
  /** Positions the rotary tables cover. */
  maxLength: number;
  joinedFrom(first: Value): Value;
}

export interface CachedAttention {
  mix: Mix;
  /** Keys and values [n,A,G,T,E] of new tokens, one a layer. */
  keys: Value[];
  values: Value[];
}

/**
 * Declares `map.q` [n,A,G,rep·T], `map.k` and `map.v` [n,A,G,T], which head of which token stands in a place, and
 * `map.mixed` [N,H], the place of each head; `mask` [n,A,1,rep·T,P+C+T], `parts` [3] = P, C and T; and of each layer i
 * `prefix.k.i` and `prefix.v.i` [A,G,P,E], `past.k.i` and `past.v.i` [n,A,G,C,E].
 */
export function cachedAttention(g: GraphBuilder, { config, positions, maxLength, joinedFrom }: CachedAttentionOptions): CachedAttention {
  const { heads: H, kvHeads: G, headSize: E, rope } = config;
  const all = H + 2 * G;
  const queryPlaces = times("T", H / G);
  const map = {
    q: g.input("map.q", "int32", ["n", "A", G, queryPlaces]),
    k: g.input("map.k", "int32", ["n", "A", G, "T"]),
    v: g.input("map.v", "int32", ["n", "A", G, "T"]),
    mixed: g.input("map.mixed", "int32", ["N", H]),
  };
  const mask = g.input("mask", "float32", ["n", "A", 1, queryPlaces, "P+C+T"]);
  const parts = g.input("parts", "int64", [3]);
  // One rotation for queries and keys together, so each carries the root of the softmax scale.
  const tables = rotaryTables(rope, E, maxLength, E ** -0.25);
  const [cos, sin] = [tables.cos, tables.sin].map((table) => g.constant(table, [maxLength, E / 2]));
  const heads = (x: Value): Value => g.reshape(x, [times("N", all), E]); // [N,1,(H+2G)·E] → [N·(H+2G),E]
  const keys: Value[] = [];
  const values: Value[] = [];

  const mix: Mix = ({ layer, q: first }) => {
    const joined = g.reshape(joinedFrom(first), ["N", 1, all * E]);
    // Values are rotated too and not used so: that costs less than cutting them off.
    const rotated = heads(g.rotary(joined, positions, cos, sin, all));
    const own: KeysAndValues = { k: g.gather(rotated, map.k), v: g.gather(heads(joined), map.v) }; // → [n,A,G,T,E]
    keys.push(own.k);
    values.push(own.v);
    const held = (name: string, lead: readonly (number | string)[]): KeysAndValues => {
      const [k, v] = ["k", "v"].map((which) => g.input(`${name}.${which}.${layer}`, "float32", [...lead, E]));
      return { k, v };
    };
    const q = g.gather(rotated, map.q); // → [n,A,G,rep·T,E]
    const mixed = g.cachedAttention(q, held("prefix", ["A", G, "P"]), held("past", ["n", "A", G, "C"]), own, mask, parts);
    return g.reshape(g.gather(g.reshape(mixed, [product(mixed.shape.slice(0, 4)), E]), map.mixed), ["N", H * E]);
  };
  return { mix, keys, values };
}
