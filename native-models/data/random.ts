// Seeded random numbers (xoshiro128**, Blackman and Vigna 2018), the same on every machine and version of Node.
// In: an integer seed (0 is a seed like any other) or a saved state. Out: numbers for data order, windows and samples.

/** Four 32-bit words: plain data, fit for a checkpoint. */
export type RandomState = readonly [number, number, number, number];

export interface Random {
  /** Next 32 random bits, 0 … 2^32 − 1. */
  bits(): number;
  /** Uniform in [0, 1), 53 bits. */
  float(): number;
  /** Uniform integer in [0, limit), without bias; limit up to 2^32. */
  below(limit: number): number;
  /** Shuffles in place (Fisher–Yates) and returns the same array. */
  shuffle<A extends { length: number; [index: number]: unknown }>(items: A): A;
  /** State to continue from, by `randomFrom`. */
  state(): RandomState;
}

/** A generator for `seed`; further numbers (an epoch, a worker) give independent streams of the same seed. */
export function seededRandom(seed: number, ...stream: number[]): Random {
  const next = splitMix([seed, ...stream]);
  return randomFrom([next(), next(), next(), next()]);
}

export function randomFrom(state: RandomState): Random {
  let [a, b, c, d] = state.map((word) => word | 0) as [number, number, number, number];
  if ((a | b | c | d) === 0) a = 1; // the one state it cannot leave

  function bits(): number {
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotateLeft(d, 11);
    return result;
  }

  function below(limit: number): number {
    if (!Number.isInteger(limit) || limit < 1 || limit > 2 ** 32) throw new RangeError(`below(${limit}): needs 1 … 2^32`);
    const fair = 2 ** 32 - (2 ** 32 % limit);
    for (;;) {
      const value = bits();
      if (value < fair) return value % limit;
    }
  }

  return {
    bits,
    below,
    float: () => ((bits() >>> 5) * 2 ** 26 + (bits() >>> 6)) / 2 ** 53,
    shuffle(items) {
      for (let i = items.length - 1; i > 0; i--) {
        const j = below(i + 1);
        const held = items[i];
        (items as Record<number, unknown>)[i] = items[j];
        (items as Record<number, unknown>)[j] = held;
      }
      return items;
    },
    state: () => [a >>> 0, b >>> 0, c >>> 0, d >>> 0],
  };
}

function rotateLeft(word: number, count: number): number {
  return (word << count) | (word >>> (32 - count));
}

/** SplitMix32 over the low and high halves of each number: near seeds give far states. */
function splitMix(numbers: readonly number[]): () => number {
  let word = 0x9e3779b9;
  for (const number of numbers) {
    if (!Number.isSafeInteger(number)) throw new RangeError(`A seed is a whole number, not ${number}.`);
    word = mix(word ^ (number >>> 0));
    word = mix(word ^ (Math.floor(number / 2 ** 32) >>> 0));
  }
  return () => mix((word = (word + 0x9e3779b9) | 0));
}

function mix(word: number): number {
  word = Math.imul(word ^ (word >>> 16), 0x21f0aaad);
  word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
  return (word ^ (word >>> 15)) >>> 0;
}
