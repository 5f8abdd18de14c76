// An orthonormal basis Q of a block Krylov space, grown a block at a time, with H = Qᵀ·C·Q for a symmetric operator C.
// In: blocks and their images under C. Out: the next block, and Ritz pairs of all that was gathered.
//
// Columns of Q are kept as rows, so that the basis grows in one piece of memory. Everything in C·Q lies in Q but for
// the remainder of the last image, so residuals of Ritz pairs follow from that remainder without C·Q at hand.

import { seededRandom } from "../data/random.ts";
import { dividedEigen } from "./divided-eigen.ts";
import { matrix, partOf, product, putColumns, rowsOf, subtract, transposed, type DenseKernels, type Matrix } from "./kernels.ts";
import { orthonormalColumns } from "./orthonormal.ts";
import { fillSigns } from "./random.ts";
import { ReusedArray } from "./reused-array.ts";
import { symmetricEigen } from "./symmetric-eigen.ts";

export interface RitzPairs {
  /** Ritz values of the operator, descending. */
  values: Float64Array;
  /** ‖C·v − θ·v‖ of the leading ones. */
  residuals: Float64Array;
}

/** All Ritz values of the space, and its leading pairs: vector i is row i of `turn` times the basis. */
export interface Ritz extends RitzPairs {
  turn: Matrix;
}

export class KrylovBasis {
  readonly #size: number;
  readonly #capacity: number;
  readonly #kernels: DenseKernels;
  readonly #rows: Matrix;
  readonly #inner: Float64Array;
  readonly #scratch = new ReusedArray();
  #count = 0;
  /** What the images of the last block have outside the basis [D, b]. */
  #remainder: Matrix | null = null;

  constructor(size: number, capacity: number, kernels: DenseKernels) {
    this.#size = size;
    this.#capacity = capacity;
    this.#kernels = kernels;
    this.#rows = matrix(capacity, size);
    this.#inner = new Float64Array(capacity * capacity);
  }

  /** Columns in the basis. */
  get count(): number {
    return this.#count;
  }

  /** Columns that may still be added. */
  get room(): number {
    return this.#capacity - this.#count;
  }

  /** Takes in a block [D, b] that is orthonormal and orthogonal to the basis, with its image. `image` is used up. */
  async add(block: Matrix, image: Matrix): Promise<void> {
    const { cols } = block;
    transposed(block, rowsOf(this.#rows, this.#count, this.#count + cols));
    this.#count += cols;
    const shares = await this.#removeBasis(image);
    const from = this.#count - cols;
    for (let i = 0; i < this.#count; i++) {
      for (let j = 0; j < cols; j++) {
        const mirrored = i >= from ? shares.values[(from + j) * cols + (i - from)]! : shares.values[i * cols + j]!;
        const value = (shares.values[i * cols + j]! + mirrored) / 2;
        this.#inner[i * this.#capacity + from + j] = this.#inner[(from + j) * this.#capacity + i] = value;
      }
    }
    this.#remainder = image;
  }

  /** The next block of the Krylov space: the remainder of the last image, and `more` beside it. */
  async next(seed: number, more: Matrix | null = null): Promise<Matrix> {
    return this.orthonormal(more === null ? this.#remainder! : besideEachOther(this.#remainder!, more), seed);
  }

  /** Columns of `block` made orthonormal and orthogonal to the basis. */
  async orthonormal(block: Matrix, seed: number): Promise<Matrix> {
    let found = block;
    for (let round = 0; ; round++) {
      found = await orthonormalColumns(found, this.#kernels, seed + round);
      const shares = await this.#removeBasis(found);
      let worst = 0;
      for (const share of shares.values) worst = Math.max(worst, Math.abs(share));
      if (worst < 1e-8) return found;
      if (round === 20) throw new Error(`KrylovBasis: no block orthogonal to ${this.#count} of ${this.#size} directions`);
    }
  }

  /** block ← block − Q·Qᵀ·block; returns Qᵀ·block. */
  async #removeBasis(block: Matrix): Promise<Matrix> {
    const basis = rowsOf(this.#rows, 0, this.#count);
    const shares = await product(this.#kernels, basis, block);
    const within: Matrix = { ...block, values: this.#scratch.take(block.values.length) };
    await this.#kernels.multiply(basis, shares, within, { transposeA: true });
    subtract(block.values, within.values);
    return shares;
  }

  /** Ritz values, and the `leading` pairs. */
  async ritz(leading: number): Promise<Ritz> {
    const count = this.#count;
    const kept = Math.min(count, leading);
    const inner = new Float64Array(count * count);
    for (let i = 0; i < count; i++) inner.set(this.#inner.subarray(i * this.#capacity, i * this.#capacity + count), i * count);
    const eigen = await dividedEigen(inner, count, this.#kernels, count - kept, count);
    const turn = matrix(kept, count);
    for (let i = 0; i < kept; i++) turn.values.set(eigen.rows.subarray((kept - 1 - i) * count, (kept - i) * count), i * count);
    return { turn, values: eigen.values.reverse(), residuals: await this.#residuals(turn) };
  }

  async #residuals(turn: Matrix): Promise<Float64Array> {
    const { cols } = this.#remainder!;
    const ends = partOf(turn, 0, turn.rows, turn.cols - cols, turn.cols); // what a vector has of the last block
    const lengths = await product(this.#kernels, this.#remainder!, this.#remainder!, { transposeA: true });
    const images = (await product(this.#kernels, ends, lengths)).values;
    return Float64Array.from({ length: turn.rows }, (_, row) => {
      let sum = 0;
      for (let i = row * cols; i < (row + 1) * cols; i++) sum += ends.values[i]! * images[i]!;
      return Math.sqrt(Math.max(0, sum));
    });
  }

  /** The leading `kept` Ritz vectors [D, kept]. */
  async vectors({ turn }: Ritz, kept: number): Promise<Matrix> {
    return product(this.#kernels, rowsOf(this.#rows, 0, this.#count), rowsOf(turn, 0, kept), { transposeA: true, transposeB: true });
  }

  /** Keeps the leading Ritz vectors only; the Krylov space goes on from the same remainder (thick restart). */
  async restart({ turn, values }: Ritz): Promise<void> {
    const kept = turn.rows;
    const turned = await product(this.#kernels, turn, rowsOf(this.#rows, 0, this.#count));
    this.#rows.values.set(turned.values);
    this.#inner.fill(0);
    for (let i = 0; i < kept; i++) this.#inner[i * this.#capacity + i] = values[i]!;
    this.#count = kept;
  }

  /**
   * The largest Ritz value that a few random directions find outside the basis, and their directions [D, probes].
   * A block Krylov space holds no more copies of a multiple eigenvalue than its first block has columns, and its
   * residuals do not tell. So there is nothing to ask where no more than that many directions are wanted.
   */
  async outside(apply: (block: Matrix) => Promise<Matrix>, seed: number): Promise<{ value: number; block: Matrix }> {
    let block = matrix(this.#size, Math.min(probes, this.#size - this.#count));
    fillSigns(block.values, seededRandom(seed));
    for (let step = 0; step < 2; step++) block = await this.orthonormal(await apply(await this.orthonormal(block, seed)), seed);
    const inner = await product(this.#kernels, block, await apply(block), { transposeA: true });
    return { value: symmetricEigen(inner.values, block.cols).values[block.cols - 1]!, block };
  }
}

const probes = 8;

function besideEachOther(a: Matrix, b: Matrix): Matrix {
  const out = matrix(a.rows, a.cols + b.cols);
  putColumns(out, 0, a);
  putColumns(out, a.cols, b);
  return out;
}
