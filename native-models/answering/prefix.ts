// The tokens that all prompts begin with, few-shot examples above all: computed and kept once for the base and once for
// each adapter in use, whose rows then stand in one lane over it.

import type { ModelConfig } from "../checkpoint/types.ts";
import { commonPrefix } from "../data/common-prefix.ts";
import type { TensorData } from "../runtime/session.ts";
import type { AdapterFeeds } from "./adapter-feeds.ts";
import { KeyValueCache, type CacheShape } from "./cache.ts";
import type { Forward } from "./forward.ts";

export interface Prefix {
  /** Tokens; 0: rows share nothing. */
  length: number;
  /** P: places of each lane, those beyond the length not to be seen. */
  places: number;
  /** A. */
  lanes: number;
  laneOf(adapter: number | null): number;
  /** `prefix.k.i` and `prefix.v.i` [count,G,P,E] of neighbouring lanes. */
  feeds(first: number, count: number): Record<string, TensorData>;
}

/** Rows of any adapters, all in one lane. */
export function noPrefix(shape: CacheShape): Prefix {
  const cache = new KeyValueCache(shape, 1);
  return { length: 0, places: 0, lanes: 1, laneOf: () => 0, feeds: () => cache.feeds("prefix", 0, [1], true) };
}

/** A shorter prefix is cheaper computed for every row than kept apart. */
const shortestShared = 16;

export async function computePrefix(rows: readonly { ids: readonly number[]; adapter: number | null }[], forward: Forward, config: ModelConfig, adapters: AdapterFeeds): Promise<Prefix> {
  const inUse = [...new Set(rows.map(({ adapter }) => adapter))];
  const length = inUse.length < rows.length ? commonPrefix(rows.map(({ ids }) => ids)) : 0;
  const none = noPrefix(config);
  if (length < shortestShared) return none;
  const ids = rows[0].ids.slice(0, length);
  const lanes = inUse.length;
  const cache = new KeyValueCache(config, lanes, length);
  await forward({ cache, prefix: none, rows: inUse.map((adapter, slot) => ({ adapter, slot, length: 0 })), news: inUse.map(() => ids), wanted: [], adapters });
  return { length, places: cache.places, lanes, laneOf: (adapter) => inUse.indexOf(adapter), feeds: (first, count) => cache.feeds("prefix", first, [count]) };
}
