// Histogram of lengths in tokens, in bins of a round size.

export interface LengthHistogram {
  /** counts[i] rows have between i·binTokens and (i+1)·binTokens − 1 tokens. */
  binTokens: number;
  counts: number[];
  longestTokens: number;
}

const mostBins = 40;
const roundSizes = [1, 2, 4, 5, 8, 10];

/** In: length → how many rows have it. */
export function histogramOf(lengthCounts: ReadonlyMap<number, number>): LengthHistogram {
  let longestTokens = 0;
  for (const length of lengthCounts.keys()) longestTokens = Math.max(longestTokens, length);
  const least = (longestTokens + 1) / mostBins;
  const scale = 10 ** Math.max(0, Math.floor(Math.log10(least)));
  const binTokens = scale * roundSizes.find((size) => size * scale >= least)!;
  const counts: number[] = Array.from({ length: Math.floor(longestTokens / binTokens) + 1 }, () => 0);
  for (const [length, count] of lengthCounts) counts[Math.floor(length / binTokens)]! += count;
  return { binTokens, counts, longestTokens };
}
