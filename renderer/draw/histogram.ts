// Bars of a length histogram and the line where rows become too long.

import type { Histogram } from "../../main/rpc/contract.ts";

export interface Bar {
  x: number;
  y: number;
  width: number;
  height: number;
  fromTokens: number;
  toTokens: number;
  count: number;
  /** Every row of the bar is longer than the limit. */
  isBeyond: boolean;
}

export interface HistogramPicture {
  bars: Bar[];
  /** x of the limit, or null where it lies beyond the picture. */
  limitX: number | null;
  ticks: { x: number; tokens: number }[];
}

export function drawHistogram({ binTokens, counts }: Histogram, box: { width: number; height: number; limit: number | null }): HistogramPicture {
  const spanTokens = Math.max(1, counts.length) * binTokens;
  const perToken = box.width / spanTokens;
  const most = Math.max(1, ...counts);
  const gap = Math.min(2, (binTokens * perToken) / 4);
  const bars = counts.map((count, i): Bar => {
    // A bar with rows is never too small to see.
    const height = count === 0 ? 0 : Math.max(2, (count / most) * box.height);
    const fromTokens = i * binTokens;
    return {
      x: fromTokens * perToken + gap / 2,
      y: box.height - height,
      width: Math.max(1, binTokens * perToken - gap),
      height,
      fromTokens,
      toTokens: fromTokens + binTokens - 1,
      count,
      isBeyond: box.limit !== null && fromTokens > box.limit,
    };
  });
  const limitX = box.limit === null || box.limit >= spanTokens ? null : (box.limit + 0.5) * perToken;
  return { bars, limitX, ticks: niceTicks(spanTokens, 5).map((tokens) => ({ x: tokens * perToken, tokens })) };
}

/** About `wanted` round numbers from 0 up to `most`. */
export function niceTicks(most: number, wanted: number): number[] {
  const raw = most / wanted;
  const scale = 10 ** Math.floor(Math.log10(raw));
  const step = Math.max(1, scale * [1, 2, 5, 10].find((size) => size * scale >= raw)!);
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, i) => i * step);
}
