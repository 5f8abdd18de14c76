// The spectrum of a Gram matrix, estimated without decomposing it, for pictures.
// Stochastic Lanczos quadrature (Ubaru, Chen and Saad 2017): from a random start, Lanczos steps give the nodes and weights
// of a quadrature for the density of eigenvalues. It is sharp at the end that the operator stretches most, so it is taken
// twice: of G for the upper half, and of (G + µI)⁻¹ for the lower half. Cost: one Cholesky factor and 2·steps products
// with a few columns (D = 1536: about 0.4 s on one core).

import { seededRandom } from "../data/random.ts";
import type { BlockOperator } from "./dominant-subspace.ts";
import { factorize } from "./factor.ts";
import { matrix, product, type DenseKernels, type Matrix } from "./kernels.ts";
import { fillSigns } from "./random.ts";
import { tridiagonalEigen } from "./symmetric-eigen.ts";
import type { Gram } from "./types.ts";

export interface Spectrum {
  size: number;
  /** Estimated eigenvalues of evenly spaced order numbers, ascending: the first and the last are those of 0 and D − 1. */
  values: number[];
  /** exp of the entropy of λ / Σ λ (Roy and Vetterli 2007): how many directions the text really uses. */
  effectiveRank: number;
}

interface Node {
  value: number;
  /** Eigenvalues that it stands for. */
  count: number;
}

interface SpectrumOptions {
  kernels: DenseKernels;
  seed: number;
  signal?: AbortSignal;
  /** Values returned. */
  points?: number;
  probes?: number;
  steps?: number;
}

export async function estimateSpectrum(gram: Gram, { kernels, seed, signal, points = 65, probes = 4, steps = 56 }: SpectrumOptions): Promise<Spectrum> {
  const { size } = gram;
  const g: Matrix = { rows: size, cols: size, values: gram.values };
  let largest = 0;
  for (let i = 0; i < size; i++) largest = Math.max(largest, gram.values[i * size + i]!);
  if (largest === 0) return { size, values: Array<number>(points).fill(0), effectiveRank: 0 };
  const settings = { probes, steps: Math.min(steps, size), seed, kernels, ...(signal && { signal }) };
  const upper = await quadrature((block) => product(kernels, g, block), size, settings);
  const lower = await lowerNodes(g, largest, settings, upper);
  const values = Array.from({ length: points }, (_, i) => {
    const share = i / (points - 1);
    return share < 0.5 ? valueAt(lower, share * size) : valueAt(upper, share * size);
  });
  for (let i = 1; i < points; i++) values[i] = Math.max(values[i]!, values[i - 1]!); // where the halves meet
  return { size, values, effectiveRank: Math.max(1, Math.exp(entropy(upper))) };
}

/** Nodes of G from those of its inverse, so far as there is one to working precision. */
async function lowerNodes(g: Matrix, largest: number, settings: QuadratureSettings, upper: Node[]): Promise<Node[]> {
  for (let shift = g.rows * Number.EPSILON * largest; shift < 1e-6 * g.rows * largest; shift *= 32) {
    const factor = await factorize(g, shift, settings.kernels, settings.signal);
    if (!factor) continue;
    const inverse: BlockOperator = async (block) => {
      const out: Matrix = { ...block, values: Float64Array.from(block.values) };
      await factor.solve(out);
      return out;
    };
    try {
      const nodes = await quadrature(inverse, g.rows, settings);
      return nodes.map(({ value, count }) => ({ value: Math.max(0, 1 / value - shift), count })).reverse();
    } finally {
      factor.release();
    }
  }
  return upper;
}

interface QuadratureSettings {
  probes: number;
  steps: number;
  seed: number;
  kernels: DenseKernels;
  signal?: AbortSignal;
}

/** Nodes of all probes together, ascending. */
async function quadrature(apply: BlockOperator, size: number, { probes, steps, seed, signal }: QuadratureSettings): Promise<Node[]> {
  const block = matrix(size, probes);
  fillSigns(block.values, seededRandom(seed));
  const chains = Array.from({ length: probes }, () => new Lanczos(size));
  for (const [j, chain] of chains.entries()) chain.begin(columnOf(block, j));
  for (let step = 0; step < steps; step++) {
    signal?.throwIfAborted();
    for (const [j, chain] of chains.entries()) setColumn(block, j, chain.last());
    const image = await apply(block);
    for (const [j, chain] of chains.entries()) chain.step(columnOf(image, j));
  }
  return chains.flatMap((chain) => chain.nodes(size / probes)).sort((a, b) => a.value - b.value);
}

/** One Lanczos process with full reorthogonalisation. */
class Lanczos {
  #size: number;
  #vectors: Float64Array[] = [];
  #diagonal: number[] = [];
  #offDiagonal: number[] = [];
  #isOver = false;

  constructor(size: number) {
    this.#size = size;
  }

  begin(vector: Float64Array): void {
    scale(vector, 1 / norm(vector));
    this.#vectors.push(vector);
  }

  last(): Float64Array {
    return this.#vectors.at(-1)!;
  }

  step(image: Float64Array): void {
    if (this.#isOver) return;
    const alpha = dot(image, this.last());
    this.#diagonal.push(alpha);
    for (let pass = 0; pass < 2; pass++) for (const vector of this.#vectors) subtractMultiple(image, vector, dot(image, vector));
    const beta = norm(image);
    // The space is used up: nothing follows.
    if (!(beta > 1e-13 * Math.abs(this.#diagonal[0]!)) || this.#vectors.length === this.#size) return void (this.#isOver = true);
    this.#offDiagonal.push(beta);
    scale(image, 1 / beta);
    this.#vectors.push(image);
  }

  /** Ritz values with their shares of `total`. */
  nodes(total: number): Node[] {
    const n = this.#diagonal.length;
    const { values, rows } = tridiagonalEigen(Float64Array.from(this.#diagonal), Float64Array.from(this.#offDiagonal.slice(0, n - 1)));
    return Array.from(values, (value, i) => ({ value: Math.max(value, Number.MIN_VALUE), count: total * rows[i * n]! ** 2 }));
  }
}

/** The eigenvalue of an order number, between the middles of the nodes' shares on a logarithmic scale. */
function valueAt(nodes: readonly Node[], order: number): number {
  let below = 0;
  let before: { middle: number; value: number } | null = null;
  for (const { value, count } of nodes) {
    const middle = below + count / 2;
    if (middle >= order) {
      if (before === null || !(before.value > 0) || middle === before.middle) return value;
      const share = (order - before.middle) / (middle - before.middle);
      return Math.exp((1 - share) * Math.log(before.value) + share * Math.log(value));
    }
    before = { middle, value };
    below += count;
  }
  return nodes.at(-1)!.value;
}

function entropy(nodes: readonly Node[]): number {
  const total = nodes.reduce((sum, { value, count }) => sum + value * count, 0);
  return nodes.reduce((sum, { value, count }) => sum - (count * value * Math.log(value / total)) / total, 0);
}

function columnOf({ rows, cols, values }: Matrix, column: number): Float64Array {
  return Float64Array.from({ length: rows }, (_, i) => values[i * cols + column]!);
}

function setColumn({ rows, cols, values }: Matrix, column: number, vector: Float64Array): void {
  for (let i = 0; i < rows; i++) values[i * cols + column] = vector[i]!;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function norm(a: Float64Array): number {
  return Math.sqrt(dot(a, a));
}

function scale(a: Float64Array, by: number): void {
  for (let i = 0; i < a.length; i++) a[i] = a[i]! * by;
}

function subtractMultiple(a: Float64Array, b: Float64Array, by: number): void {
  for (let i = 0; i < a.length; i++) a[i] = a[i]! - by * b[i]!;
}
