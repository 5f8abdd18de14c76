// Feeds for programs over packed rows: token ids one row after the other and the maps to the padded layout [B,T].
// Tokens that all rows begin with may stand once, in the first row: under a causal mask they are the same for every row.

import { f32, i64, type TensorData } from "../runtime/session.ts";

export interface PackedRows {
  /** N: packed tokens; those that all rows share count once. */
  tokens: number;
  /** T: the longest row, rounded up. */
  longest: number;
  /** Token t of row b is packed token starts[b] + t, where the row has it to itself. */
  starts: readonly number[];
  feeds: Record<string, TensorData>;
}

export interface PackOptions {
  /** Shifts a row's positions: tokens already in the cache. */
  offsets?: readonly number[];
  /** T is rounded up to a multiple of this. Scores of 16 floats a cache line are written twice as fast when aligned. */
  alignment?: number;
  /** Tokens that all rows begin with and that stand once; every row is longer. Default 0. */
  shared?: number;
}

/** Packs rows of token ids. `keys` [B,T] are the packed tokens that a row's keys and values come from: the shared ones too. */
export function packRows(rows: readonly ArrayLike<number>[], { offsets, alignment = 1, shared = 0 }: PackOptions = {}): PackedRows {
  const longest = Math.ceil(Math.max(...rows.map((row) => row.length)) / alignment) * alignment;
  const B = rows.length;
  const tokens = rows.reduce((n, row) => n + row.length, 0) - shared * (B - 1);
  const ids = new BigInt64Array(tokens);
  const from = new BigInt64Array(tokens);
  const to = new BigInt64Array(B * longest);
  const keys = new BigInt64Array(B * longest);
  const valid = new Float32Array(B * longest);
  const positions = new BigInt64Array(B * longest);
  const starts: number[] = [];
  let at = 0;
  rows.forEach((row, b) => {
    const first = b === 0 ? 0 : shared;
    starts.push(at - first);
    for (let t = 0; t < row.length; t++) {
      const place = b * longest + t;
      positions[place] = BigInt(t + (offsets?.[b] ?? 0));
      keys[place] = BigInt(t < first ? t : at);
      if (t < first) continue;
      ids[at] = BigInt(row[t]);
      from[at] = BigInt(place);
      to[place] = BigInt(at);
      valid[place] = 1;
      at += 1;
    }
  });
  return {
    tokens,
    longest,
    starts,
    feeds: {
      ids: i64(ids, tokens),
      keys: i64(keys, B, longest),
      "map.to": i64(to, B, longest),
      "map.from": i64(from, tokens),
      "map.valid": f32(valid, B, longest, 1),
      positions: i64(positions, B, longest),
    },
  };
}

/** How many tokens all rows begin with; every row keeps at least one of its own. One row shares nothing. */
export function commonPrefix(rows: readonly ArrayLike<number>[]): number {
  const [first] = rows;
  if (first === undefined || rows.length === 1) return 0;
  const shortest = Math.min(...rows.map((row) => row.length));
  let shared = 0;
  while (shared < shortest - 1 && rows.every((row) => row[shared] === first[shared])) shared += 1;
  return shared;
}

/** Far below any score, yet finite: a row of it alone stays a distribution. */
export const masked = -1e30;

/** Causal mask [rep·T, T]: rows are right-padded, so what a real token may see is never padding. */
export function causalMask(length: number, rep: number): TensorData {
  const mask = new Float32Array(rep * length * length);
  for (let r = 0; r < rep; r++) {
    for (let t = 0; t < length; t++) mask.fill(masked, (r * length + t) * length + t + 1, (r * length + t + 1) * length);
  }
  return f32(mask, rep * length, length);
}
