// Scale and zero of one block of 4-bit weights: of grids (q − zero)·scale, q = 0..15, a little wider to much narrower than
// the block's range, the one with the least weighted squared error, its scale fitted to the integers that it gives.
// Source: make_qkx2_quants of llama.cpp, here with a zero that is an integer.

/** Widths tried, as shares of the range. On SmolLM2 24 down to 0.4 gain nothing more, 4 lose 4 % more, the range alone 9 %. */
const shares = Array.from({ length: 14 }, (_, i) => 1.04 - (0.48 * i) / 13);

export interface Grid {
  scale: number;
  /** 0..15: what 0 is stored as. */
  zero: number;
}

/** A run of `count` numbers, `stride` apart. */
export interface Strided {
  values: ArrayLike<number>;
  from: number;
  stride: number;
  count: number;
}

/** `weights` [from `weightsFrom` on] say how much each number's error counts. The answer is written into `grid`. */
export function searchGrid({ values, from, stride, count }: Strided, weights: ArrayLike<number>, weightsFrom: number, grid: Grid): void {
  let [low, high] = [0, 0]; // a block of one sign reaches to 0, so that 0 stays 0
  let total = 0;
  for (let i = 0, at = from; i < count; i++, at += stride) {
    const value = values[at]!;
    if (value < low) low = value;
    if (value > high) high = value;
    total += weights[weightsFrom + i]! * value * value;
  }
  grid.scale = 0;
  grid.zero = 0;
  let best = Infinity;
  if (high === low) return;
  for (const share of shares) {
    const scale = ((high - low) * share) / 15;
    const zero = Math.min(15, Math.max(0, Math.round(7.5 - (high + low) / 2 / scale)));
    let [product, square] = [0, 0];
    for (let i = 0, at = from; i < count; i++, at += stride) {
      const value = values[at]!;
      const step = Math.min(15 - zero, Math.max(-zero, Math.floor(value / scale + 0.5)));
      const weight = weights[weightsFrom + i]!;
      product += weight * value * step;
      square += weight * step * step;
    }
    if (square === 0) continue;
    const error = total - (product * product) / square; // with the best scale for these steps, product ∕ square
    if (error >= best) continue;
    best = error;
    grid.scale = product / square;
    grid.zero = zero;
  }
}
