// Feeds for programs whose attention works in causal blocks (causal-blocks.ts): packed tokens and the blocks' index maps.
// Tokens that all rows begin with stand once, at the front: under a causal mask they are the same for every row.

import type { ModelConfig } from "../checkpoint/types.ts";
import { f32, i64, type TensorData } from "../runtime/session.ts";
import { blockCount } from "./causal-blocks.ts";
import { causalMask } from "./packed-rows.ts";

/** Places of a block are a multiple of this: rows of 16 floats, a cache line, are written twice as fast when aligned. */
const blockAlignment = 16;

/** What of a model the maps depend on. */
export type BlockHeads = Pick<ModelConfig, "heads" | "kvHeads">;

export interface BlockedRows {
  /** N: packed tokens; shared ones count once. */
  tokens: number;
  /** Token t of row b, where the row has it to itself, is packed token starts[b] + t. */
  starts: readonly number[];
  feeds: Record<string, TensorData>;
}

/** Rows of token ids, the first `shared` tokens of which are the same in all of them. */
export function blockRows(rows: readonly (readonly number[])[], shared: number, heads: BlockHeads): BlockedRows {
  const ids: number[] = [];
  const positions: number[] = [];
  const starts = rows.map((row, b) => {
    const first = b === 0 ? 0 : shared;
    const start = ids.length - first;
    for (let t = first; t < row.length; t++) {
      ids.push(row[t]);
      positions.push(t);
    }
    return start;
  });
  const N = ids.length;
  const lengths = rows.map((row) => row.length);
  return {
    tokens: N,
    starts,
    feeds: { ids: i64(ids, N), positions: i64(positions, N, 1), ...mapFeeds({ lengths, starts, shared, tokens: N }, heads) },
  };
}

interface Packing {
  lengths: readonly number[];
  starts: readonly number[];
  shared: number;
  tokens: number;
}

interface Block {
  /** Position of the first query. */
  start: number;
  /** Places of queries. */
  places: number;
  /** Rows with a query in it. */
  rows: number[];
  /** Places of query and key blocks before it, all rows and heads counted. */
  queriesBefore: number;
  keysBefore: number;
}

function blocksOf({ lengths, shared }: Packing, { heads, kvHeads }: BlockHeads): Block[] {
  const size = roundUp(Math.max(...lengths) / blockCount);
  let [queriesBefore, keysBefore] = [0, 0];
  return Array.from({ length: blockCount }, (_, i): Block => {
    const start = i * size;
    const longest = Math.max(...lengths) - start;
    const places = Math.min(size, Math.max(blockAlignment, roundUp(longest)));
    const found = [...lengths.keys()].filter((b) => lengths[b] > start && (b === 0 || shared < start + places));
    const block = { start, places, rows: found.length > 0 ? found : [0], queriesBefore, keysBefore }; // never empty: its places are then padding
    queriesBefore += block.rows.length * heads * places;
    keysBefore += block.rows.length * kvHeads * (start + places);
    return block;
  });
}

function mapFeeds(packing: Packing, heads: BlockHeads): Record<string, TensorData> {
  const { heads: H, kvHeads: G } = heads;
  const { lengths, starts, shared, tokens: N } = packing;
  const blocks = blocksOf(packing, heads);
  const last = blocks[blocks.length - 1];
  const noKey = BigInt(last.keysBefore + last.rows.length * G * (last.start + last.places));
  const queryPlaces = new BigInt64Array(N * H);
  const own = new BigInt64Array(blocks.length * (N - shared) * G).fill(noKey);
  const holders = blocks.reduce((sum, { rows }) => sum + rows.length, 0);
  const sharedPlaces = new BigInt64Array(holders * shared * G).fill(noKey);
  const feeds: Record<string, TensorData> = {};
  let holder = 0;
  blocks.forEach(({ start, places: T, rows, queriesBefore, keysBefore }, i) => {
    const S = start + T;
    const B = rows.length;
    const queries = new BigInt64Array(B * H * T);
    const keys = new BigInt64Array(B * G * S);
    const valid = new Float32Array(B * T);
    rows.forEach((b, j) => {
      const first = b === 0 ? 0 : shared;
      for (let t = Math.max(0, first - start); t < Math.min(T, lengths[b] - start); t++) {
        const token = starts[b] + start + t;
        valid[j * T + t] = 1;
        for (let h = 0; h < H; h++) {
          const place = (j * H + h) * T + t;
          queries[place] = BigInt(token * H + h);
          queryPlaces[token * H + h] = BigInt(queriesBefore + place);
        }
      }
      for (let s = 0; s < Math.min(S, lengths[b]); s++) {
        const isShared = s < shared;
        const token = isShared ? s : starts[b] + s;
        for (let h = 0; h < G; h++) {
          const place = (j * G + h) * S + s;
          keys[place] = BigInt(token * G + h);
          if (isShared) sharedPlaces[(holder * shared + s) * G + h] = BigInt(keysBefore + place);
          else own[(i * (N - shared) + token - shared) * G + h] = BigInt(keysBefore + place);
        }
      }
      holder += 1;
    });
    feeds[`block.${i}.q`] = i64(queries, B, H, T);
    feeds[`block.${i}.k`] = i64(keys, B, G, S);
    feeds[`block.${i}.valid`] = f32(valid, B, 1, T, 1);
    feeds[`block.${i}.mask`] = causalMask(T, H / G, start);
  });
  feeds["block.q.sums"] = i64(queryPlaces, 1, N * H);
  feeds["block.k.own"] = i64(own, blocks.length, (N - shared) * G);
  feeds["block.k.shared"] = i64(sharedPlaces, holders, shared * G);
  return feeds;
}

function roundUp(places: number): number {
  return Math.ceil(places / blockAlignment) * blockAlignment;
}
