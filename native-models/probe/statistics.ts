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

export interface ResampleOptions {
  /** Default 2000; of many thousand questions fewer, at least 500: their means scatter little. */
  resamples?: number;
  /** Default 0: the same numbers each time. */
  seed?: number;
}

const mostDraws = 8e6;

/** Bootstrap: of each column the mean over questions drawn with replacement, the same questions for all columns. */
export function resampledMeans(columns: readonly ArrayLike<number>[], options: ResampleOptions = {}): Float64Array[] {
  const count = columns[0]?.length ?? 0;
  const { resamples = Math.max(500, Math.min(2000, Math.floor(mostDraws / count))), seed = 0 } = options;
  if (count === 0 || columns.some(({ length }) => length !== count)) throw new RangeError(`bootstrap of columns of ${columns.map(({ length }) => length).join(", ")} values`);
  const random = seededRandom(seed);
  const means = columns.map(() => new Float64Array(resamples));
  const sums = new Float64Array(columns.length);
  for (let sample = 0; sample < resamples; sample++) {
    sums.fill(0);
    for (let i = 0; i < count; i++) {
      const at = random.below(count);
      for (let column = 0; column < sums.length; column++) sums[column]! += columns[column]![at]!;
    }
    for (let column = 0; column < sums.length; column++) means[column]![sample] = sums[column]! / count;
  }
  return means;
}

/** The middle 95 % of bootstrap values. */
export function percentileInterval(values: ArrayLike<number>): Interval {
  const sorted = Float64Array.from(values).sort();
  return { low: sorted[Math.floor(0.025 * (sorted.length - 1))]!, high: sorted[Math.ceil(0.975 * (sorted.length - 1))]! };
}

/** Two-sided bootstrap p-value of a mean difference: how often resampling puts it on the other side of zero. At least 1 / resamples. */
export function bootstrapPValue(differences: ArrayLike<number>): number {
  let [below, above] = [0, 0];
  for (let i = 0; i < differences.length; i++) {
    if (differences[i]! <= 0) below += 1;
    if (differences[i]! >= 0) above += 1;
  }
  return Math.min(1, Math.max(1, 2 * Math.min(below, above)) / differences.length);
}

/** Mean of `tuned − base` with its 95 % percentile interval, from resampled questions. */
export function pairedBootstrap(base: readonly number[], tuned: readonly number[], options: ResampleOptions = {}): { mean: number } & Interval {
  if (base.length !== tuned.length || base.length === 0) throw new RangeError(`paired bootstrap of ${base.length} and ${tuned.length} values`);
  const differences = tuned.map((value, i) => value - base[i]!);
  const [means] = resampledMeans([differences], options);
  return { mean: differences.reduce((sum, difference) => sum + difference, 0) / differences.length, ...percentileInterval(means!) };
}
