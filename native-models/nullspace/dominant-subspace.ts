// The directions that a symmetric positive operator stretches most, by block iteration.
// In: a function that applies the operator to a block of columns. Out: Ritz pairs, best first. For the null space of a
// Gram matrix the operator is its inverse (basis.ts); for EVA or PiSSA it is the matrix itself.
//
// A block somewhat wider than wanted is filtered by a Chebyshev polynomial of the operator that is small on [0, θ_P], θ_P
// the block's smallest Ritz value, and grows as fast as a polynomial can above it (Zhou and Saad 2007); then Rayleigh
// and Ritz sort it out. Eigenvalues of Gram matrices lie close together (neighbours 0.2 % apart are usual), so plain
// power steps would need several times as many applications.

import { seededRandom } from "../data/random.ts";
import { matrix, product, type DenseKernels, type Matrix } from "./kernels.ts";
import { orthonormalColumns } from "./orthonormal.ts";
import { fillNormal } from "./random.ts";
import { symmetricEigen } from "./symmetric-eigen.ts";

export interface DominantOptions {
  /** Directions wanted. */
  wanted: number;
  /** Columns in the block, at least `wanted` and at most the size. */
  width: number;
  seed: number;
  /** Stop when every wanted direction is within this angle (radians) of what the block's limit would give. */
  angleTolerance: number;
  /** Stop when the sum over the wanted directions of 1/θ changes by less than this share between two rounds. */
  settleTolerance: number;
  /** Values below this share of the largest count as zero: their directions are free. Default 0. */
  negligibleShare?: number;
  /** Most applications of the operator to the whole block. */
  maxApplications: number;
  kernels: DenseKernels;
  signal?: AbortSignal;
  /** Columns to begin with [size, ≤ width]; the rest is random. */
  start?: Matrix;
}

export interface DominantSubspace {
  /** Ritz vectors [size, width], largest value first, orthonormal. */
  vectors: Matrix;
  /** Ritz values of the operator, descending. */
  values: Float64Array;
  /** ‖C·v − θ·v‖ for each. */
  residuals: Float64Array;
  applications: number;
  isSettled: boolean;
}

/** An operator on blocks: returns C·block as a new matrix. */
export type BlockOperator = (block: Matrix) => Promise<Matrix>;

export async function dominantSubspace(apply: BlockOperator, size: number, options: DominantOptions): Promise<DominantSubspace> {
  const { wanted, width, kernels, signal } = options;
  let vectors = await orthonormalColumns(startBlock(size, options), kernels, options.seed);
  let applications = 0;
  let settledSum = Infinity;
  for (let round = 0; ; round++) {
    signal?.throwIfAborted();
    const image = await apply(vectors);
    applications += 1;
    const ritz = await rayleighRitz(vectors, image, kernels);
    if (!(ritz.values[0]! >= 0)) throw new Error(`dominantSubspace: the largest value is ${ritz.values[0]}, so the operator is not positive`);
    const sum = sumOfReciprocals(ritz.values, wanted);
    const isSettled = worstAngle(ritz, options) <= options.angleTolerance || Math.abs(settledSum - sum) <= options.settleTolerance * Math.abs(sum);
    settledSum = sum;
    if (isSettled || applications >= options.maxApplications) return { ...ritz, applications, isSettled };
    const degree = round === 0 && !options.start ? 1 : chebyshevDegree(ritz, options, options.maxApplications - applications);
    const filtered = await chebyshev(apply, ritz, degree);
    applications += degree - 1; // the first power came with the Ritz step
    vectors = await orthonormalColumns(filtered, kernels, options.seed + round + 1);
    if (vectors.cols !== width) throw new Error("dominantSubspace: the block lost a column");
  }
}

interface Ritz {
  vectors: Matrix;
  image: Matrix;
  values: Float64Array;
  residuals: Float64Array;
}

function startBlock(size: number, options: DominantOptions): Matrix {
  const block = matrix(size, options.width);
  fillNormal(block.values, seededRandom(options.seed));
  const start = options.start;
  if (start) for (let i = 0; i < size; i++) block.values.set(start.values.subarray(i * start.cols, (i + 1) * start.cols), i * options.width);
  return block;
}

/** Turns the block so that the operator is diagonal on it: values descending, with their residual norms. */
async function rayleighRitz(vectors: Matrix, image: Matrix, kernels: DenseKernels): Promise<Ritz> {
  const width = vectors.cols;
  const inner = (await product(kernels, vectors, image, { transposeA: true })).values;
  for (let i = 0; i < width; i++) for (let j = 0; j < i; j++) inner[i * width + j] = (inner[i * width + j]! + inner[j * width + i]!) / 2;
  const eigen = symmetricEigen(inner, width);
  const rotation = matrix(width, width); // rows are eigenvectors, largest first
  const values = new Float64Array(width);
  for (let i = 0; i < width; i++) {
    const from = width - 1 - i;
    values[i] = eigen.values[from]!;
    rotation.values.set(eigen.rows.subarray(from * width, (from + 1) * width), i * width);
  }
  const turned = await product(kernels, vectors, rotation, { transposeB: true });
  const turnedImage = await product(kernels, image, rotation, { transposeB: true });
  const residuals = new Float64Array(width);
  for (let i = 0; i < turned.values.length; i += width) {
    for (let j = 0; j < width; j++) residuals[j] = residuals[j]! + (turnedImage.values[i + j]! - values[j]! * turned.values[i + j]!) ** 2;
  }
  for (let j = 0; j < width; j++) residuals[j] = Math.sqrt(residuals[j]!);
  return { vectors: turned, image: turnedImage, values, residuals };
}

/** Largest ‖residual‖ / (θ_i − θ_P): bounds the sine of the angle to the space beyond the block. */
function worstAngle({ values, residuals }: Ritz, { wanted, negligibleShare = 0 }: DominantOptions): number {
  const edge = values.length > wanted ? values[values.length - 1]! : 0;
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

/** Growth of a Chebyshev polynomial a degree at θ, for the interval [0, edge]. */
function growth(theta: number, edge: number): number {
  const x = Math.max(1, (2 * theta) / edge - 1);
  return x + Math.sqrt(x * x - 1);
}

/** Enough degrees for the tolerance, but so few that the largest value does not drown the wanted ones in rounding. */
function chebyshevDegree(ritz: Ritz, options: DominantOptions, left: number): number {
  const edge = ritz.values[ritz.values.length - 1]!;
  const atWanted = growth(ritz.values[options.wanted - 1]!, edge);
  const atTop = growth(ritz.values[0]!, edge);
  const needed = Math.log(Math.max(2, worstAngle(ritz, options) / options.angleTolerance)) / Math.log(Math.max(1.05, atWanted));
  const bearable = Math.log(1e8) / Math.log(Math.max(1.05, atTop / atWanted));
  return Math.max(1, Math.min(Math.ceil(needed) + 1, Math.floor(bearable), 8, left)); // one more saves a round that just misses
}

/** T_degree(2C/edge − 1) on the Ritz vectors; each column is scaled so that its own growth stays near one. */
async function chebyshev(apply: BlockOperator, { vectors, image, values }: Ritz, degree: number): Promise<Matrix> {
  const edge = values[values.length - 1]!;
  if (degree === 1 || !(edge > 0)) return image;
  const width = vectors.cols;
  // T_1 = (2/edge)·C·v − v; T_{k+1} = 2·((2/edge)·C·T_k − T_k) − T_{k−1}. Growth over eight degrees stays far from
  // overflow because chebyshevDegree bounds it at the top value.
  let before = vectors;
  let now = matrix(vectors.rows, width);
  for (let i = 0; i < now.values.length; i++) now.values[i] = (2 / edge) * image.values[i]! - vectors.values[i]!;
  for (let k = 2; k <= degree; k++) {
    const next = await apply(now);
    for (let i = 0; i < next.values.length; i++) next.values[i] = (4 / edge) * next.values[i]! - 2 * now.values[i]! - before.values[i]!;
    before = now;
    now = next;
  }
  return now;
}
