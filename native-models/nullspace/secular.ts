// Eigenvalues and eigenvectors of a diagonal matrix plus one of rank one, D + ρ·z·zᵀ: the step that joins two halves of a
// tridiagonal matrix (divided-eigen.ts). Every root of the secular equation is found beside its nearer pole, and z is
// then taken anew from the roots, so that eigenvectors are orthogonal however close the roots lie (Gu and Eisenstat 1994;
// LAPACK's dlaed3 and dlaed4).

export interface SecularRoots {
  /** Ascending, one in each gap of `d`. */
  values: Float64Array;
  /** Row k, [count] long: d_j − λ_k for every j, to full relative precision. */
  distances: Float64Array;
}

/** Roots of 1 + ρ·Σ z_j²/(d_j − λ). `d` ascends strictly, no z is zero, ρ > 0. */
export function secularRoots(d: Float64Array, z: Float64Array, rho: number): SecularRoots {
  const count = d.length;
  const values = new Float64Array(count);
  const distances = new Float64Array(count * count);
  const weights = z.map((value) => rho * value * value);
  let total = 0;
  for (const weight of weights) total += weight;
  const offset = new Float64Array(count); // d_j − origin
  for (let k = 0; k < count; k++) {
    const { origin, shift } = rootAbove(k, d, weights, total, offset);
    values[k] = d[origin]! + shift;
    const row = distances.subarray(k * count, (k + 1) * count);
    for (let j = 0; j < count; j++) row[j] = d[j]! - d[origin]! - shift;
  }
  return { values, distances };
}

/** The root between d_k and d_k+1 as a shift from the pole that is nearer. */
function rootAbove(k: number, d: Float64Array, weights: Float64Array, total: number, offset: Float64Array): { origin: number; shift: number } {
  const count = d.length;
  const isLast = k === count - 1;
  const gap = isLast ? total : d[k + 1]! - d[k]!;
  const sums = { left: 0, leftSlope: 0, right: 0, rightSlope: 0 };
  const evaluate = (shift: number): number => {
    let [left, leftSlope, right, rightSlope] = [0, 0, 0, 0];
    for (let j = 0; j <= k; j++) {
      const inverse = 1 / (offset[j]! - shift);
      const term = weights[j]! * inverse;
      left += term;
      leftSlope += term * inverse;
    }
    for (let j = k + 1; j < count; j++) {
      const inverse = 1 / (offset[j]! - shift);
      const term = weights[j]! * inverse;
      right += term;
      rightSlope += term * inverse;
    }
    sums.left = left;
    sums.leftSlope = leftSlope;
    sums.right = right;
    sums.rightSlope = rightSlope;
    return 1 + left + right;
  };
  let origin = k;
  for (let j = 0; j < count; j++) offset[j] = d[j]! - d[k]!;
  let shift = isLast ? gap : gap / 2;
  let value = evaluate(shift);
  let [low, high] = [0, shift];
  if (!isLast && value < 0) {
    origin = k + 1;
    for (let j = 0; j < count; j++) offset[j] = d[j]! - d[origin]!;
    [shift, low, high] = [-gap / 2, -gap / 2, 0];
    value = evaluate(shift);
  }
  for (let step = 0; step < 200; step++) {
    if (Math.abs(value) <= 8 * Number.EPSILON * (1 + Math.abs(sums.left) + Math.abs(sums.right))) break;
    if (value < 0) low = shift;
    else high = shift;
    let next = shift + change(offset[k]! - shift, isLast ? null : offset[k + 1]! - shift, value, sums);
    if (!(next > low && next < high)) next = (low + high) / 2;
    if (next === shift || next <= low || next >= high) break; // nothing lies between
    shift = next;
    value = evaluate(shift);
  }
  return { origin, shift };
}

/** To the root of the function with the same poles at distances `a` and `b`, and the same sums and slopes. */
function change(a: number, b: number | null, value: number, { left, leftSlope, rightSlope }: { left: number; leftSlope: number; rightSlope: number }): number {
  if (b === null) return a + (leftSlope * a * a) / (1 + left - leftSlope * a);
  const c = value - leftSlope * a - rightSlope * b;
  const linear = (a + b) * value - a * b * (leftSlope + rightSlope);
  const constant = a * b * value;
  const root = Math.sqrt(Math.max(0, linear * linear - 4 * constant * c));
  return linear <= 0 ? (linear - root) / (2 * c) : (2 * constant) / (linear + root);
}

/** The z whose secular equation has exactly these roots, with the signs of `z`; its length is free. */
export function exactWeights(d: Float64Array, z: Float64Array, { distances }: SecularRoots): Float64Array {
  const count = d.length;
  const square = new Float64Array(count);
  for (let j = 0; j < count; j++) square[j] = -distances[j * count + j]!;
  for (let k = 0; k < count; k++) {
    for (let j = 0; j < count; j++) if (j !== k) square[j] = (square[j]! * distances[k * count + j]!) / (d[j]! - d[k]!);
  }
  return square.map((value, j) => Math.sign(z[j]!) * Math.sqrt(Math.max(0, value)));
}
