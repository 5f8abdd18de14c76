// The directions that a symmetric positive operator stretches most, by a block Krylov space.
// In: a function that applies the operator to a block of columns. Out: Ritz pairs, best first. For the null space of a
// Gram matrix the operator is its inverse (basis.ts); for EVA or PiSSA it is the matrix itself.
//
// Eigenvalues of Gram matrices lie close together (neighbours 0.2 % apart are usual). A Krylov space of four times as
// many columns as are wanted holds the wanted space to 3e-4 on such spectra (measured at R = 16 to 128), so the operator
// is applied to 4·R columns in all; a filtered block iteration needed 18·R. Where that is not enough, the space is
// restarted from its best Ritz vectors (thick restart, Wu and Simon 2000).

import { seededRandom } from "../data/random.ts";
import { KrylovBasis, type Ritz, type RitzPairs } from "./krylov-basis.ts";
import { matrix, type DenseKernels, type Matrix } from "./kernels.ts";
import { orthonormalColumns } from "./orthonormal.ts";
import { fillSigns } from "./random.ts";

export interface DominantOptions {
  /** Directions wanted. */
  wanted: number;
  /** Directions returned, `wanted` and a few beyond: the last one's value is the edge that angles are measured against. */
  width: number;
  seed: number;
  /** Stop when every wanted direction is within this angle (radians) of what lies beyond the edge. */
  angleTolerance: number;
  /** Stop when the sum over the wanted directions of 1/θ changes by less than this share between two looks. */
  settleTolerance: number;
  /** Values below this share of the largest count as zero: their directions are free. Default 0. */
  negligibleShare?: number;
  /** Most blocks that the operator is applied to. */
  maxApplications: number;
  kernels: DenseKernels;
  signal?: AbortSignal;
}

/** `width` for so many wanted directions: a quarter more, 8 at least, where the space has them. */
export function widthFor(wanted: number, size: number): number {
  return Math.min(size, wanted + Math.max(8, Math.ceil(wanted / 4)));
}

export interface DominantSubspace extends RitzPairs {
  /** Ritz vectors [size, width], largest value first, orthonormal. */
  vectors: Matrix;
  /** Blocks that the operator was applied to. */
  applications: number;
}

/** An operator on blocks: returns C·block as a new matrix. */
export type BlockOperator = (block: Matrix) => Promise<Matrix>;

/** Columns that a space may have in any case: the widths of small models need up to 22 blocks of 16 at rank 16. */
const leastSpace = 360;

export async function dominantSubspace(apply: BlockOperator, size: number, options: DominantOptions): Promise<DominantSubspace> {
  const { wanted, width, seed, kernels, signal } = options;
  const cols = Math.min(size, blockColumns(wanted));
  const basis = new KrylovBasis(size, Math.min(size, Math.max(12 * cols, 3 * width, leastSpace) + width), kernels);
  const start = matrix(size, cols);
  fillSigns(start.values, seededRandom(seed));
  let block = await orthonormalColumns(await apply(start), kernels, seed);
  let lookAt = Math.min(size, Math.max(4 * wanted, 10 * cols));
  let settledSum = Infinity;
  for (let applications = 2; ; applications++) {
    signal?.throwIfAborted();
    await basis.add(block, await apply(block));
    let more: Matrix | null = null;
    if (basis.count >= lookAt || basis.room < block.cols || applications >= options.maxApplications) {
      const ritz = await basis.ritz(Math.max(width, 2 * wanted));
      if (!(ritz.values[0]! >= 0)) throw new Error(`dominantSubspace: the largest value is ${ritz.values[0]}, so the operator is not positive`);
      const sum = sumOfReciprocals(ritz.values, wanted);
      const isSettled = worstAngle(ritz, options) <= options.angleTolerance || Math.abs(settledSum - sum) <= options.settleTolerance * Math.abs(sum);
      const isOver = basis.count === size || applications >= options.maxApplications;
      if (isSettled && !isOver && cols < wanted) {
        const outside = await basis.outside(apply, seed + applications); // other directions each time
        if (outside.value > ritz.values[wanted - 1]! * (1 + 1e-6)) more = outside.block;
      }
      if (isOver || (isSettled && more === null)) return { ...(await best(basis, ritz, width)), applications };
      settledSum = sum;
      lookAt = basis.count + cols * blocksNeeded(ritz, options);
      if (lookAt > basis.count + basis.room || basis.room < block.cols + (more?.cols ?? 0)) {
        lookAt += ritz.turn.rows - basis.count;
        await basis.restart(ritz);
      }
    }
    block = await basis.next(seed + applications, more);
  }
}

/** Wide enough for fast products and for neighbours that lie close, narrow enough for a space of many powers. */
function blockColumns(wanted: number): number {
  return Math.min(96, Math.max(16, 8 * Math.ceil(wanted / 24)));
}

async function best(basis: KrylovBasis, ritz: Ritz, width: number): Promise<RitzPairs & { vectors: Matrix }> {
  return { vectors: await basis.vectors(ritz, width), values: ritz.values, residuals: ritz.residuals };
}

/** Largest ‖residual‖ / (θ_i − θ_edge): about the sine of the angle to the space beyond the edge. */
function worstAngle({ values, residuals }: RitzPairs, { wanted, width, negligibleShare = 0 }: DominantOptions): number {
  const edge = values.length > wanted ? values[Math.min(width, values.length) - 1]! : 0;
  let worst = 0;
  for (let i = 0; i < wanted; i++) {
    if (residuals[i]! === 0 || values[i]! < negligibleShare * values[0]!) continue;
    worst = Math.max(worst, residuals[i]! / Math.max(values[i]! - edge, 0));
  }
  return worst;
}

function sumOfReciprocals(values: Float64Array, wanted: number): number {
  let sum = 0;
  for (let i = 0; i < wanted; i++) sum += 1 / values[i]!;
  return sum;
}

/**
 * Blocks until the worst wanted direction is within the tolerance: each gains what a Chebyshev polynomial gains a degree,
 * and a third more, as the space learns where the values lie. A look costs as much as a few blocks, so none is wasted.
 */
function blocksNeeded(ritz: RitzPairs, options: DominantOptions): number {
  const { values } = ritz;
  const edge = values[Math.min(2 * options.wanted, values.length) - 1]!;
  const x = Math.max(1, (2 * values[options.wanted - 1]!) / edge - 1);
  const perBlock = Math.log(Math.max(1.5, x + Math.sqrt(x * x - 1)));
  const left = Math.log(Math.max(1, worstAngle(ritz, options) / options.angleTolerance)) / perBlock;
  return Math.max(1, Math.min(12, Math.ceil(0.75 * left)));
}
