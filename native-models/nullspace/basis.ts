// Null-space basis of one layer input: the R directions of R^D that the calibration text uses least.
// In: a Gram matrix G = Σ x xᵀ (gram-file.ts). Out: R orthonormal directions with the least energy tr(Uᵀ G U), for the
// starts. Cost: D³/3 flops for one Cholesky factor and 2·D² for each of 4 to 5·R columns solved with it; D² float64 held
// beside G (D = 4096: 128 MiB), and 7·R·D for the Krylov space.
//
// The directions wanted are the dominant ones of (G + µI)⁻¹, whatever µ is: it moves eigenvalues and leaves eigenvectors.
// So µ is free to serve the arithmetic, and the smallest that makes a singular G factorable is taken. Massive-activation
// channels need no scaling: Cholesky's rounding follows the scale of each row and column. float32 would not do: its
// factor loses all below 1e-7 of the largest value, and the wanted ones lie at 1e-9. Energies are taken from G itself.

import { seededRandom } from "../data/random.ts";
import { UserError } from "../errors.ts";
import { dividedEigen } from "./divided-eigen.ts";
import { dominantSubspace, widthFor } from "./dominant-subspace.ts";
import { factorize, type Factor } from "./factor.ts";
import { matrix, product, transposed, type DenseKernels, type Matrix } from "./kernels.ts";
import type { RitzPairs } from "./krylov-basis.ts";
import { orthonormalColumns } from "./orthonormal.ts";
import { fillSigns } from "./random.ts";
import type { Gram, NullBasis } from "./types.ts";

export interface BasisOptions {
  kernels: DenseKernels;
  seed: number;
  signal?: AbortSignal;
  /** Where the Gram comes from, for messages. */
  name?: string;
  /** Largest angle in radians between a direction and its limit. Default 3e-4, which leaves an energy excess near 1e-9. */
  angleTolerance?: number;
  /** Also stop where the energy changes by less than this share between two rounds. Default 1e-10; 0: never. */
  settleTolerance?: number;
}

/** The `rank` directions with the least calibration energy (all D where rank ≥ D), ascending. Deterministic for a seed. */
export async function bottomSubspace(gram: Gram, rank: number, options: BasisOptions): Promise<NullBasis> {
  const { size } = gram;
  const { largest, total } = checkGram(gram, options.name ?? "Gram matrix");
  if (!Number.isInteger(rank) || rank < 1) throw new Error(`bottomSubspace: rank ${rank}`);
  const wanted = Math.min(rank, size);
  const width = widthFor(wanted, size);
  const whole: Matrix = { rows: size, cols: size, values: gram.values };
  if (largest === 0) return ritzInGram(whole, await anyDirections(size, width, options), wanted, total, 0, 0, options.kernels);
  // A block of most of the space: one dense decomposition is cheaper and has no convergence to wait for.
  if (4 * width >= size || size <= 48) return ritzInGram(whole, await allDirections(gram, width, options.kernels), wanted, total, 0, 0, options.kernels);

  const { kernels, seed, signal, angleTolerance = 3e-4, settleTolerance = 1e-10 } = options;
  const factor = await factorOfShifted(whole, largest, options);
  try {
    const found = await dominantSubspace(inverseOf(factor), size, {
      wanted, width, seed, angleTolerance, settleTolerance, maxApplications: 300, kernels, ...(signal && { signal }),
    });
    return await ritzInGram(whole, found.vectors, wanted, total, excess(found, wanted, width), found.applications, kernels);
  } finally {
    factor.release();
  }
}

function inverseOf(factor: Factor): (block: Matrix) => Promise<Matrix> {
  return async (block) => {
    const out: Matrix = { ...block, values: block.values.slice() };
    await factor.solve(out);
    return out;
  };
}

function checkGram(gram: Gram, name: string): { largest: number; total: number } {
  const { size, values } = gram;
  if (values.length !== size * size || size < 1) throw new Error(`bottomSubspace: ${values.length} values for size ${size}`);
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += Math.abs(values[i]!);
  if (!Number.isFinite(sum)) {
    throw new UserError({
      what: `${name} holds NaN or infinite values, so the model overflowed on the calibration text.`,
      where: name,
      fix: "Calibrate again with other text; if it happens again, the model's weights hold NaN or Inf.",
    });
  }
  let largest = 0;
  let total = 0;
  for (let i = 0; i < size; i++) {
    const value = values[i * size + i]!;
    if (value < 0) throw notAGram(name, `its diagonal entry ${i} is ${value}`);
    largest = Math.max(largest, value);
    total += value;
  }
  if (largest === 0 && sum > 0) throw notAGram(name, "its diagonal is zero and the rest is not");
  return { largest, total };
}

function notAGram(name: string, reason: string): UserError {
  return new UserError({
    what: `${name} is not a sum of x·xᵀ: ${reason}.`,
    where: name,
    fix: "The Gram file is damaged or was not written by a calibration; calibrate again.",
  });
}

/** Factor with the smallest µ that works: from rounding level up by steps. */
async function factorOfShifted(gram: Matrix, largest: number, options: BasisOptions): Promise<Factor> {
  let shift = gram.rows * Number.EPSILON * largest;
  for (; shift < 1e-6 * gram.rows * largest; shift *= 32) {
    const factor = await factorize(gram, shift, options.kernels, options.signal);
    if (factor) return factor;
  }
  throw notAGram(options.name ?? "Gram matrix", "it has negative eigenvalues far above rounding");
}

/**
 * Bound on how far tr(Uᵀ G U) lies above the least possible, second order in the angles: a direction with the residual r
 * leans by r/(θ − θ_j) to directions outside the Krylov space, and each costs λ_j − λ = (θ − θ_j)/(θ·θ_j). For the angle
 * θ_j is the edge; for the cost it is a value below nine tenths of the space, as most of r lies far out.
 */
function excess({ values, residuals }: RitzPairs, wanted: number, width: number): number {
  const edge = values.length > wanted ? values[Math.min(width, values.length) - 1]! : 0;
  const far = values[Math.floor(0.9 * (values.length - 1))]!;
  let sum = 0;
  for (let i = 0; i < wanted; i++) {
    if (residuals[i]! === 0) continue;
    const theta = values[i]!;
    sum += Math.min(1 / theta, residuals[i]! ** 2 / (theta * Math.min(theta, far) * Math.max(theta - edge, 0)));
  }
  return sum;
}

async function anyDirections(size: number, width: number, options: BasisOptions): Promise<Matrix> {
  const block = matrix(size, width);
  fillSigns(block.values, seededRandom(options.seed));
  return orthonormalColumns(block, options.kernels, options.seed);
}

async function allDirections({ size, values }: Gram, width: number, kernels: DenseKernels): Promise<Matrix> {
  const { rows } = await dividedEigen(values, size, kernels, 0, width);
  return transposed({ rows: width, cols: size, values: rows });
}

/** Rayleigh–Ritz of G itself on the block: the `wanted` emptiest directions in it, with their true energies. */
async function ritzInGram(
  gram: Matrix, block: Matrix, wanted: number, totalEnergy: number, energyExcess: number, iterations: number, kernels: DenseKernels,
): Promise<NullBasis> {
  const width = block.cols;
  const image = await product(kernels, gram, block);
  const inner = (await product(kernels, block, image, { transposeA: true })).values;
  for (let i = 0; i < width; i++) for (let j = 0; j < i; j++) inner[i * width + j] = (inner[i * width + j]! + inner[j * width + i]!) / 2;
  const eigen = await dividedEigen(inner, width, kernels, 0, wanted);
  const basis = await product(kernels, block, { rows: wanted, cols: width, values: eigen.rows }, { transposeB: true });
  pointSameWay(basis);
  const ritzValues = eigen.values.slice(0, wanted).map((value) => Math.max(0, value));
  return {
    size: gram.rows,
    rank: wanted,
    basis: basis.values,
    energy: ritzValues.reduce((sum, value) => sum + value, 0),
    energyExcess,
    totalEnergy,
    ritzValues,
    nextRitzValue: width > wanted ? Math.max(0, eigen.values[wanted]!) : null,
    iterations,
  };
}

/** Turns every column so that its largest entry is positive: an eigenvector's sign is free, a file should not be. */
function pointSameWay({ rows, cols, values }: Matrix): void {
  for (let j = 0; j < cols; j++) {
    let largest = 0;
    for (let i = 0; i < rows; i++) if (Math.abs(values[i * cols + j]!) > Math.abs(largest)) largest = values[i * cols + j]!;
    if (largest < 0) for (let i = 0; i < rows; i++) values[i * cols + j] = -values[i * cols + j]!;
  }
}
