// Which µ makes the inverse (G + µI)⁻¹ easiest to iterate with, once the smallest eigenvalues of G are roughly known.
// A larger µ evens out a block that spans many orders of magnitude (they do: 1e-6 beside 1 in layer 1 of SmolLM2), so
// that a filter does not drown the wanted directions under the emptiest few. A negative µ, just above −λ₁, pulls a flat
// bottom apart (λ₁₆/λ₁ = 1.25 in the wide inputs), which halves the applications. Both cost a second factor.

import { bearableDegree, growth, type RitzPairs } from "./dominant-subspace.ts";

interface ShiftQuestion {
  /** Directions wanted. */
  wanted: number;
  /** µ of the factor at hand. */
  shift: number;
  /** D, and the largest diagonal entry of G. */
  size: number;
  largest: number;
  /** Applications that the factor at hand would still need. */
  applicationsLeft: number;
}

/** Largest over R-th value of the block under the shift aimed at: little is gained by more, and digits are lost. */
const spread = 10;
/** Beyond this, rounding of the largest values is seen in the wanted ones (1e-16 · 1e4 in a value, its root in a direction). */
const drowning = 1e4;
/** What a Ritz step and an orthonormalisation cost, in applications. */
const roundCost = 0.4;

/** A shift that saves more applications than its factor costs, or null. Deterministic. */
export function betterShift({ values, residuals }: RitzPairs, { wanted, shift, size, largest, applicationsLeft }: ShiftQuestion): number | null {
  const [first, last, edge] = [values[0]!, values[wanted - 1]!, values[values.length - 1]!];
  if (!(edge > 0)) return null;
  const lowest = 1 / (first + residuals[0]!) - shift; // of G, from below
  const atCut = 1 / last - shift;
  const least = 64 * size * Number.EPSILON * largest - lowest; // still factorable
  const other = Math.max((atCut - spread * lowest) / (spread - 1), least);
  if (first > drowning * last && other > 2 * shift) return other;
  const moved = (value: number): number => 1 / (1 / value - shift + other);
  const now = cost(first, last, edge, applicationsLeft);
  const perDegree = (theta: number, end: number): number => Math.log(Math.max(1.05, growth(theta, end)));
  const then = cost(moved(first), moved(last), moved(edge), (applicationsLeft * perDegree(last, edge)) / perDegree(moved(last), moved(edge)));
  const factorCost = 1 + size / (4 * values.length); // D³/3 and its overhead beside 2·D²·P; and one application starts anew
  return then + factorCost < now ? other : null;
}

/** Applications with the rounds between them. */
function cost(first: number, last: number, edge: number, applications: number): number {
  return applications + roundCost * Math.ceil(applications / bearableDegree(first, last, edge));
}
