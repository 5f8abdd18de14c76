// Rows that begin alike as one row whose beginning is computed once: worked examples, then every question with its answer.
// Each question sees the beginning and itself, at the positions it would have alone.
// In: rows with their targets. Out: feeds of the programs that take train-program.ts's `trainFeeds`; targets row by row.

import { f32, i64, type TensorData } from "../runtime/session.ts";
import { masked, packRows } from "./packed-rows.ts";
import { rowAlignment } from "./row-loss.ts";
import type { TrainRow } from "./train-program.ts";

export interface JoinedRows {
  /** Σ nll over the targets is the `loss` of these. */
  feeds: Record<string, TensorData>;
  /** Tokens computed, the shared beginning once. */
  tokens: number;
  targets: number;
}

/** Every row has a target, and a token before its first one. `rep`: query heads a key/value head. */
export function joinRows(rows: readonly TrainRow[], rep: number): JoinedRows {
  const shared = sharedLength(rows);
  const ids = Array.from(rows[0]!.ids).slice(0, shared);
  const positions = ids.map((_, t) => t);
  /** First token of the row that each token belongs to; the beginning belongs to all. */
  const starts = ids.map(() => 0);
  const [from, targets]: [number[], number[]] = [[], []];
  for (const row of rows) {
    const start = ids.length;
    for (let t = shared; t < row.ids.length; t++) {
      if (row.isTrained[t]) {
        from.push(ids.length - 1);
        targets.push(row.ids[t]!);
      }
      if (t === row.ids.length - 1) break; // the last token predicts nothing
      ids.push(row.ids[t]!);
      positions.push(t);
      starts.push(start);
    }
  }
  const [N, M] = [ids.length, targets.length];
  const packed = packRows([ids], { alignment: rowAlignment });
  const to = new BigInt64Array(N);
  const valid = new Float32Array(N);
  from.forEach((place, m) => {
    to[place] = BigInt(m);
    valid[place] = 1;
  });
  return {
    tokens: N,
    targets: M,
    feeds: {
      ...packed.feeds,
      positions: i64([...positions, ...Array<number>(packed.longest - N).fill(0)], 1, packed.longest),
      mask: maskOf(starts, shared, packed.longest, rep),
      "picked.from": i64(from, M),
      "picked.to": i64(to, N),
      "picked.valid": f32(valid, N, 1),
      targets: i64(targets, M),
      lossWeight: f32(new Float32Array(M).fill(1), M, 1),
    },
  };
}

/** Tokens that all rows begin with; each keeps one of its own before its first target. */
function sharedLength(rows: readonly TrainRow[]): number {
  const first = rows[0]!.ids;
  const most = Math.min(...rows.map(({ isTrained }) => Array.from(isTrained).indexOf(1) - 1));
  let length = 0;
  while (length < most && rows.every(({ ids }) => ids[length] === first[length])) length++;
  return length;
}

/** [rep·T, T]: token t sees the first `shared` tokens and those of its own row up to itself. */
function maskOf(starts: readonly number[], shared: number, longest: number, rep: number): TensorData {
  const mask = new Float32Array(rep * longest * longest).fill(masked);
  for (let t = 0; t < longest; t++) {
    const row = t * longest;
    mask.fill(0, row, row + Math.min(t + 1, shared));
    mask.fill(0, row + (starts[t] ?? 0), row + t + 1);
  }
  for (let r = 1; r < rep; r++) mask.copyWithin(r * longest * longest, 0, longest * longest);
  return f32(mask, rep * longest, longest);
}
