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
import { fillSigns } from "./random.ts";
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
  /** Asked once, after three applications: another operator with the same eigenvectors in the same order, or null to go on. */
  better?: (found: RitzPairs, applicationsLeft: number) => Promise<BlockOperator | null>;
  kernels: DenseKernels;
  signal?: AbortSignal;
}

export interface RitzPairs {
  /** Ritz vectors [size, width], largest value first, orthonormal. */
  vectors: Matrix;
  /** Ritz values of the operator, descending. */
  values: Float64Array;
  /** ‖C·v − θ·v‖ for each. */
  residuals: Float64Array;
}

export interface DominantSubspace extends RitzPairs {
  applications: number;
}

/** An operator on blocks: returns C·block as a new matrix. */
export type BlockOperator = (block: Matrix) => Promise<Matrix>;

export async function dominantSubspace(operator: BlockOperator, size: number, options: DominantOptions): Promise<DominantSubspace> {
  const { wanted, width, seed, kernels, signal, better } = options;
  let apply = operator;
  const start = matrix(size, width);
  fillSigns(start.values, seededRandom(seed));
  let vectors = start;
  for (let power = 0; power < powerSteps; power++) vectors = await orthonormalColumns(await apply(vectors), kernels, seed);
  let applications = powerSteps;
  let settledSum = Infinity;
  for (let round = 0; ; round++) {
    signal?.throwIfAborted();
    const image = await apply(vectors);
    applications += 1;
    const ritz = await rayleighRitz(vectors, image, kernels);
    if (!(ritz.values[0]! >= 0)) throw new Error(`dominantSubspace: the largest value is ${ritz.values[0]}, so the operator is not positive`);
    const sum = sumOfReciprocals(ritz.values, wanted);
    const isSettled = worstAngle(ritz, options) <= options.angleTolerance || Math.abs(settledSum - sum) <= options.settleTolerance * Math.abs(sum);
    if (isSettled || applications >= options.maxApplications) return { ...ritz, applications };
    const other = round === 0 && better ? await better(ritz, degreesNeeded(ritz, options)) : null;
    if (other) {
      apply = other;
      vectors = ritz.vectors;
      continue;
    }
    settledSum = sum;
    const degree = Math.min(chebyshevDegree(ritz, options), Math.max(1, options.maxApplications - applications));
    const filtered = await chebyshev(apply, ritz, degree);
    applications += degree - 1; // the first power came with the Ritz step
    vectors = await orthonormalColumns(filtered, kernels, seed + round + 1);
    if (vectors.cols !== width) throw new Error("dominantSubspace: the block lost a column");
  }
}

/** Plain power steps before the first Ritz step, which would have nothing to sort out yet. */
const powerSteps = 2;

interface Ritz extends RitzPairs {
  image: Matrix;
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
export function growth(theta: number, edge: number): number {
  const x = Math.max(1, (2 * theta) / edge - 1);
  return x + Math.sqrt(x * x - 1);
}

/** Degrees until the worst wanted direction is within the tolerance. */
function degreesNeeded(ritz: Ritz, options: DominantOptions): number {
  const perDegree = growth(ritz.values[options.wanted - 1]!, ritz.values[ritz.values.length - 1]!);
  return Math.log(Math.max(2, worstAngle(ritz, options) / options.angleTolerance)) / Math.log(Math.max(1.05, perDegree));
}

/** Most degrees at once: beyond, the largest value would drown the wanted ones in rounding. */
export function bearableDegree(largest: number, last: number, edge: number): number {
  const ratio = growth(largest, edge) / growth(last, edge);
  return Math.max(1, Math.min(10, Math.floor(Math.log(1e10) / Math.log(Math.max(1.05, ratio)))));
}

function chebyshevDegree(ritz: Ritz, options: DominantOptions): number {
  const { values } = ritz;
  const needed = Math.ceil(degreesNeeded(ritz, options)) + 1; // one more saves a round that just misses
  return Math.min(needed, bearableDegree(values[0]!, values[options.wanted - 1]!, values[values.length - 1]!));
}

/** T_degree(2C/edge − 1) on the Ritz vectors; each column is scaled so that its own growth stays near one. */
async function chebyshev(apply: BlockOperator, { vectors, image, values }: Ritz, degree: number): Promise<Matrix> {
  const edge = values[values.length - 1]!;
  if (degree === 1 || !(edge > 0)) return image;
  const width = vectors.cols;
  // T_1 = (2/edge)·C·v − v; T_{k+1} = 2·((2/edge)·C·T_k − T_k) − T_{k−1}. Growth stays far from
  // overflow because bearableDegree bounds it at the top value.
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
