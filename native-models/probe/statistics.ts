// How sure a probe's numbers are: intervals for a share, paired tests between base and tuned.

import { seededRandom } from "../data/random.ts";

export interface Interval {
  low: number;
  high: number;
}

const z95 = 1.959963984540054;

/** 95 % Wilson score interval of a share; [0, 1] where nothing was asked. */
export function wilsonInterval(right: number, asked: number): Interval {
  if (asked === 0) return { low: 0, high: 1 };
  const share = right / asked;
  const z2 = (z95 * z95) / asked;
  const middle = (share + z2 / 2) / (1 + z2);
  const half = (z95 / (1 + z2)) * Math.sqrt((share * (1 - share)) / asked + z2 / (4 * asked));
  return { low: right === 0 ? 0 : middle - half, high: right === asked ? 1 : middle + half };
}

/**
 * Exact two-sided McNemar test: the chance of a split at least as uneven as `lost` against `gained` if each flip
 * were a fair coin.
 */
export function mcnemarExact(lost: number, gained: number): number {
  const flips = lost + gained;
  const fewer = Math.min(lost, gained);
  let logTerm = -flips * Math.LN2; // ln C(flips, 0) / 2^flips
  let tail = Math.exp(logTerm);
  for (let i = 1; i <= fewer; i++) {
    logTerm += Math.log((flips - i + 1) / i);
    tail += Math.exp(logTerm);
  }
  return Math.min(1, 2 * tail);
}

/** Mean of `tuned − base` with its 95 % percentile interval, from resampled questions. */
export function pairedBootstrap(base: readonly number[], tuned: readonly number[], options: { resamples?: number; seed?: number } = {}): { mean: number } & Interval {
  if (base.length !== tuned.length || base.length === 0) throw new RangeError(`paired bootstrap of ${base.length} and ${tuned.length} values`);
  const { resamples = 2000, seed = 0 } = options;
  const differences = tuned.map((value, i) => value - base[i]!);
  const random = seededRandom(seed);
  const means = new Float64Array(resamples).map(() => {
    let sum = 0;
    for (let i = 0; i < differences.length; i++) sum += differences[random.below(differences.length)]!;
    return sum / differences.length;
  });
  means.sort();
  const mean = differences.reduce((sum, difference) => sum + difference, 0) / differences.length;
  return { mean, low: means[Math.floor(0.025 * (resamples - 1))]!, high: means[Math.ceil(0.975 * (resamples - 1))]! };
}
