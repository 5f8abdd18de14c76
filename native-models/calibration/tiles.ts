// Tiles: as many windows of text as are run at once, and what feeds the program for one of them.

import type { ModelConfig } from "../checkpoint/types.ts";
import { causalMask, packRows } from "../programs/packed-rows.ts";
import { i64, type TensorData } from "../runtime/session.ts";

export interface Windows {
  /** [samples, length] token ids. */
  ids: Int32Array;
  samples: number;
  length: number;
}

export function tilesOf({ ids, samples, length }: Windows, tileTokens: number): number[][][] {
  const windows = Array.from({ length: samples }, (_, i) => Array.from(ids.subarray(i * length, (i + 1) * length)));
  const perTile = Math.max(1, Math.floor(tileTokens / length));
  return Array.from({ length: Math.ceil(samples / perTile) }, (_, i) => windows.slice(i * perTile, (i + 1) * perTile));
}

/** All but the hidden states and the sums. */
export function tileFeeds(rows: readonly number[][], { heads, kvHeads }: ModelConfig): { tokens: number; feeds: Record<string, TensorData> } {
  const { tokens, longest, feeds } = packRows(rows);
  const sampleOf = i64(rows.flatMap((row, i) => row.map(() => i)), tokens);
  return { tokens, feeds: { ...feeds, sampleOf, mask: causalMask(longest, heads / kvHeads) } };
}
