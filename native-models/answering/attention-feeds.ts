// Feeds of cached-attention.ts for one run: which tokens its rows consist of, where the rows stand and what each may see.
// Tokens of rows that begin alike are computed once: what such a token is does not depend on what follows it.

import type { ModelConfig } from "../checkpoint/types.ts";
import { commonLength } from "../data/common-prefix.ts";
import { masked } from "../programs/packed-rows.ts";
import { f32, i32, i64, type TensorData } from "../runtime/session.ts";

/** A row in a run. */
export interface RunRow {
  adapter: number | null;
  slot: number;
  /** Tokens of its own in the cache before its new ones. */
  held: number;
  /** All of its new tokens. */
  news: readonly number[];
}

/** The new tokens [from, to) of every row. */
export interface Piece {
  rows: readonly RunRow[];
  from: number;
  to: number;
}

export interface PackedTokens {
  ids: number[];
  /** Place of each token behind the shared prefix. */
  offsets: number[];
  adapters: (number | null)[];
  /** Packed tokens of each row. */
  ofRow: number[][];
}

/** Rows of one adapter that begin alike are found where nothing of that adapter stands between them. */
export function packTokens({ rows, from, to }: Piece): PackedTokens {
  const packed: PackedTokens = { ids: [], offsets: [], adapters: [], ofRow: [] };
  const last = new Map<number | null, number>();
  rows.forEach((row, at) => {
    const before = last.get(row.adapter);
    const shared = before === undefined ? 0 : sharedTokens(rows[before], row);
    const tokens = row.news.slice(from, to).map((id, i) => {
      if (before !== undefined && from + i < shared) return packed.ofRow[before][i];
      packed.offsets.push(row.held + from + i);
      packed.adapters.push(row.adapter);
      return packed.ids.push(id) - 1;
    });
    packed.ofRow.push(tokens);
    last.set(row.adapter, at);
  });
  return packed;
}

/** New tokens with which rows of one adapter begin alike; a row that holds own tokens begins like no other. */
export function sharedTokens(a: RunRow, b: RunRow): number {
  return a.held === 0 && b.held === 0 ? commonLength(a.news, b.news) : 0;
}

export interface Layout {
  /** n: rows that the run looks at, of each lane. */
  depth: number;
  /** The lanes it looks at; A. */
  firstLane: number;
  lanes: number;
  /** The first slot it looks at; null: none, as no row holds own tokens. */
  firstSlot: number | null;
  /** Where each row stands among the n·A. */
  places: number[];
}

/** Rows without own tokens stand in their lanes in turn, others where their slots are. */
export function layOut({ rows, from }: Piece, lanes: number): Layout {
  const depthOf = (places: readonly number[], count: number): number => Math.floor(Math.max(...places) / count) + 1;
  const laneOf = rows.map(({ slot }) => slot % lanes);
  if (from === 0 && rows.every(({ held }) => held === 0)) {
    const firstLane = Math.min(...laneOf);
    const count = Math.max(...laneOf) - firstLane + 1;
    const taken = Array.from({ length: lanes }, () => 0);
    const places = laneOf.map((lane) => taken[lane]++ * count + lane - firstLane);
    return { depth: depthOf(places, count), firstLane, lanes: count, firstSlot: null, places };
  }
  const lowest = Math.min(...rows.map(({ slot }) => slot));
  const firstSlot = lowest - (lowest % lanes);
  const places = rows.map(({ slot }) => slot - firstSlot);
  return { depth: depthOf(places, lanes), firstLane: 0, lanes, firstSlot, places };
}

export interface Seen {
  /** Tokens of the prefix, and its places P. */
  prefix: { length: number; places: number };
  /** C: places of the cache that the run reads. */
  cached: number;
}

/** `map.*`, `mask` and `parts` of a piece. */
export function attentionFeeds(piece: Piece, packed: PackedTokens, layout: Layout, { prefix, cached }: Seen, { heads: H, kvHeads: G }: ModelConfig): Record<string, TensorData> {
  const { rows, from } = piece;
  const rep = H / G;
  const { depth: n, lanes } = layout;
  const T = Math.max(...packed.ofRow.map(({ length }) => length));
  const S = prefix.places + cached + T;
  const [queries, keys, values] = [H, G, G].map((heads) => new Int32Array(n * lanes * heads * T));
  const mixed = new Int32Array(packed.ids.length * H);
  const mask = new Float32Array(n * lanes * rep * T * S).fill(masked);
  rows.forEach(({ held }, row) => {
    const place = layout.places[row];
    const own = Math.min(cached, held + Math.min(from, rows[row].news.length));
    packed.ofRow[row].forEach((token, t) => {
      const first = token * (H + 2 * G);
      for (let h = 0; h < H; h++) {
        const at = (place * H + h) * T + t;
        queries[at] = first + h;
        mixed[token * H + h] = at;
      }
      for (let head = 0; head < G; head++) {
        const at = (place * G + head) * T + t;
        keys[at] = first + H + head;
        values[at] = first + H + G + head;
      }
      for (let r = 0; r < rep; r++) {
        const line = ((place * rep + r) * T + t) * S;
        mask.fill(0, line, line + prefix.length);
        mask.fill(0, line + prefix.places, line + prefix.places + own);
        mask.fill(0, line + prefix.places + cached, line + prefix.places + cached + t + 1);
      }
    });
  });
  return {
    "map.q": i32(queries, n, lanes, G, rep * T),
    "map.k": i32(keys, n, lanes, G, T),
    "map.v": i32(values, n, lanes, G, T),
    "map.mixed": i32(mixed, packed.ids.length, H),
    mask: f32(mask, n, lanes, 1, rep * T, S),
    parts: i64([prefix.places, cached, T], 3),
  };
}
