// Feeds for programs over packed rows: token ids one row after the other and the maps to the padded layout [B,T].

import { f32, i64, type TensorData } from "../runtime/session.ts";

export interface PackedRows {
  /** N: real tokens. */
  tokens: number;
  /** T: the longest row. */
  longest: number;
  /** Packed index of the first token of each row. */
  starts: readonly number[];
  feeds: Record<string, TensorData>;
}

export interface PackOptions {
  /** Shifts a row's positions: tokens already in the cache. */
  offsets?: readonly number[];
}

/** Packs rows of token ids. */
export function packRows(rows: readonly ArrayLike<number>[], { offsets }: PackOptions = {}): PackedRows {
  const longest = Math.max(...rows.map((row) => row.length));
  const tokens = rows.reduce((n, row) => n + row.length, 0);
  const B = rows.length;
  const ids = new BigInt64Array(tokens);
  const from = new BigInt64Array(tokens);
  const to = new BigInt64Array(B * longest);
  const valid = new Float32Array(B * longest);
  const positions = new BigInt64Array(B * longest);
  const starts: number[] = [];
  let at = 0;
  rows.forEach((row, b) => {
    starts.push(at);
    for (let t = 0; t < row.length; t++, at++) {
      const place = b * longest + t;
      ids[at] = BigInt(row[t]);
      from[at] = BigInt(place);
      to[place] = BigInt(at);
      valid[place] = 1;
      positions[place] = BigInt(t + (offsets?.[b] ?? 0));
    }
  });
  return {
    tokens,
    longest,
    starts,
    feeds: {
      ids: i64(ids, tokens),
      "map.to": i64(to, B, longest),
      "map.from": i64(from, tokens),
      "map.valid": f32(valid, B, longest, 1),
      positions: i64(positions, B, longest),
    },
  };
}

/** Far below any score, yet finite: a row of it alone stays a distribution. */
export const masked = -1e30;

/**
 * Causal mask [rep·T, first+T] of queries at positions `first`..first+T−1: rows are right-padded, so what a real token may
 * see is never padding.
 */
export function causalMask(queries: number, rep: number, first = 0): TensorData {
  const keys = first + queries;
  const mask = new Float32Array(rep * queries * keys);
  for (let r = 0; r < rep; r++) {
    for (let t = 0; t < queries; t++) mask.fill(masked, (r * queries + t) * keys + first + t + 1, (r * queries + t + 1) * keys);
  }
  return f32(mask, rep * queries, keys);
}
