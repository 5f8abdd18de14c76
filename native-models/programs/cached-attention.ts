// Attention of new tokens over a key/value cache, from queries, keys and values that came out of one product.
// In: joined rows [N,(H+2G)·E], the maps of packed-rows.ts, the cache of each layer. Out: mixed values of every token, and
// the keys and values of the new tokens. Keys are kept as they are used: rotated, with half of the softmax scale.

import type { ModelConfig } from "../checkpoint/types.ts";
import type { GraphBuilder } from "../graph/builder.ts";
import { times } from "../graph/dims.ts";
import type { Value } from "../graph/value.ts";
import type { Mix } from "./decoder.ts";
import type { DecoderInputs } from "./padded-attention.ts";
import { rotaryTables } from "./rotary-tables.ts";

export interface CachedAttentionOptions {
  config: ModelConfig;
  inputs: Omit<DecoderInputs, "ids">;
  /** Positions the rotary tables cover. */
  maxLength: number;
  joinedFrom(first: Value): Value;
}

export interface CachedAttention {
  mix: Mix;
  /** Keys [B,G,E,T] and values [B,G,T,E] of new tokens, one a layer. */
  keys: Value[];
  values: Value[];
}

/** Declares `mask` [B,1,rep·T,P+T], `parts` [2] = P and T, `past.k.i` [B,G,E,P] and `past.v.i` [B,G,P,E]. */
export function cachedAttention(g: GraphBuilder, { config, inputs, maxLength, joinedFrom }: CachedAttentionOptions): CachedAttention {
  const { heads: H, kvHeads: G, headSize: E, rope } = config;
  const rep = H / G;
  const [B, T] = inputs.positions.shape;
  const mask = g.input("mask", "float32", [B, 1, times(T, rep), "P+T"]);
  const parts = g.input("parts", "int64", [2]);
  // One rotation for queries and keys together, so each carries the root of the softmax scale.
  const tables = rotaryTables(rope, E, maxLength, E ** -0.25);
  const [cos, sin] = [tables.cos, tables.sin].map((table) => g.constant(table, [maxLength, E / 2]));
  const keys: Value[] = [];
  const values: Value[] = [];

  const mix: Mix = ({ layer, q: first }) => {
    const rows = g.spreadRows(joinedFrom(first), inputs.map); // [N,(H+2G)·E] → [B,T,(H+2G)·E]
    const heads = g.transpose(g.reshape(rows, [B, T, H + 2 * G, E]), [0, 2, 1, 3]); // → [B,H+2G,T,E]
    const rotated = g.rotary(g.slice(heads, 1, 0, H + G), inputs.positions, cos, sin, H + G);
    const q = g.reshape(g.slice(rotated, 1, 0, H), [B, G, times(T, rep), E]);
    const k = g.swapLast(g.slice(rotated, 1, H, H + G)); // → [B,G,E,T]
    const v = g.slice(heads, 1, H + G, H + 2 * G); // → [B,G,T,E]
    keys.push(k);
    values.push(v);
    const past = { k: g.input(`past.k.${layer}`, "float32", [B, G, E, "P"]), v: g.input(`past.v.${layer}`, "float32", [B, G, "P", E]) };
    const mixed = g.reshape(g.cachedAttention(q, past, { k, v }, mask, parts), [B, H, T, E]);
    return g.collectRows(g.reshape(g.transpose(mixed, [0, 2, 1, 3]), [B, T, H * E]), inputs.map); // → [N,H·E]
  };
  return { mix, keys, values };
}
