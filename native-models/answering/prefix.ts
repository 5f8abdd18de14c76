// The tokens that all prompts begin with, few-shot examples above all: computed once for the base and once for each
// adapter in use, then copied into the slots of the rows.

import { commonPrefix } from "../data/common-prefix.ts";
import type { AdapterFeeds } from "./adapter-feeds.ts";
import { KeyValueCache, type CacheShape } from "./cache.ts";
import type { Forward } from "./forward.ts";

export interface Seeds {
  /** One slot for each adapter in use. */
  cache: KeyValueCache;
  slotOf(adapter: number | null): number;
}

export interface SharedPrefix {
  /** 0 where sharing does not pay. */
  length: number;
  compute(forward: Forward, shape: CacheShape, adapters: AdapterFeeds): Promise<Seeds>;
}

/** A shorter prefix is cheaper computed for every row than copied to it. */
const shortestShared = 16;

export function shareablePrefix(rows: readonly { ids: readonly number[]; adapter: number | null }[]): SharedPrefix {
  const inUse = [...new Set(rows.map(({ adapter }) => adapter))];
  const shared = inUse.length < rows.length ? commonPrefix(rows.map(({ ids }) => ids)) : 0;
  const length = shared < shortestShared ? 0 : shared;
  return {
    length,
    async compute(forward, shape, adapters) {
      const prefix = rows[0].ids.slice(0, length);
      const cache = new KeyValueCache(shape, inUse.length, length);
      await forward({ cache, first: 0, rows: inUse.map((adapter) => ({ adapter, length: 0 })), news: inUse.map(() => prefix), wanted: [], adapters });
      return { cache, slotOf: (adapter) => inUse.indexOf(adapter) };
    },
  };
}
