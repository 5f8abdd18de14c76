// Some or all eigenvectors of a symmetric matrix of a hundred to a few thousand columns, by divide and conquer.
// The matrix is made tridiagonal (symmetric-eigen.ts), that is torn into halves, and halves are joined again by the
// secular equation (Cuppen 1981; LAPACK's dstedc). What QL spends on rotations, three quarters of its time, goes into
// matrix products here. Cost: 4/3·n³ flops in TypeScript and about 4·n²·(rows wanted) in products.

import { matrix, product, subtract, type DenseKernels, type Matrix } from "./kernels.ts";
import { exactWeights, secularRoots } from "./secular.ts";
import { rotateRows, symmetricEigen, tridiagonalEigen, tridiagonalize, type Reflection, type SymmetricEigen } from "./symmetric-eigen.ts";

const leafColumns = 32;
const smallColumns = 72; // below, QL is as fast
const reflectionsAtOnce = 32;

/** All eigenvalues of the symmetric `a` [n,n], ascending, and the eigenvectors of those numbered from ≤ i < to, as rows. */
export async function dividedEigen(a: Float64Array, n: number, kernels: DenseKernels, from = 0, to = n): Promise<SymmetricEigen> {
  if (n <= smallColumns) {
    const { values, rows } = symmetricEigen(a, n);
    return { values, rows: rows.subarray(from * n, to * n) };
  }
  const { diagonal, offDiagonal, reflections } = tridiagonalize(Float64Array.from(a.subarray(0, n * n)), n);
  const { values, rows } = await divided(diagonal, offDiagonal.subarray(1), kernels, from, to);
  const turned: Matrix = { rows: to - from, cols: n, values: rows };
  await reflectRows(turned, reflections, kernels);
  return { values, rows: turned.values };
}

/** Eigenvectors of the tridiagonal matrix with `diagonal` [n] and `beside` [n−1], rows from ≤ i < to. */
async function divided(diagonal: Float64Array, beside: Float64Array, kernels: DenseKernels, from: number, to: number): Promise<SymmetricEigen> {
  const n = diagonal.length;
  if (n <= leafColumns) {
    const { values, rows } = tridiagonalEigen(diagonal, beside);
    return { values, rows: rows.subarray(from * n, to * n) };
  }
  const half = n >> 1;
  const coupling = beside[half - 1]!;
  const [upper, lower] = [Float64Array.from(diagonal.subarray(0, half)), Float64Array.from(diagonal.subarray(half))];
  upper[half - 1]! -= Math.abs(coupling);
  lower[0]! -= Math.abs(coupling);
  const first = await divided(upper, beside.subarray(0, half - 1), kernels, 0, half);
  const second = await divided(lower, beside.subarray(half), kernels, 0, n - half);
  return joined(first, second, coupling, kernels, from, to);
}

/** Eigenvectors of [first, second] + coupling·(e_half ± e_half+1)(…)ᵀ. */
async function joined(first: SymmetricEigen, second: SymmetricEigen, coupling: number, kernels: DenseKernels, from: number, to: number): Promise<SymmetricEigen> {
  const half = first.values.length;
  const n = half + second.values.length;
  const [d, z] = [new Float64Array(n), new Float64Array(n)];
  const order = mergedOrder(first.values, second.values);
  order.forEach((source, i) => {
    d[i] = source < half ? first.values[source]! : second.values[source - half]!;
    const end = source < half ? first.rows[source * half + half - 1]! : Math.sign(coupling) * second.rows[(source - half) * (n - half)]!;
    z[i] = end * Math.SQRT1_2;
  });
  const vectors = matrix(n, n);
  order.forEach((source, i) => {
    if (source < half) vectors.values.set(first.rows.subarray(source * half, (source + 1) * half), i * n);
    else vectors.values.set(second.rows.subarray((source - half) * (n - half), (source - half + 1) * (n - half)), i * n + half);
  });
  const rho = 2 * Math.abs(coupling);
  const { active, settled } = deflated(d, z, rho, vectors);
  const poles = Float64Array.from(active, (i) => d[i]!);
  const weights = Float64Array.from(active, (i) => z[i]!);
  const roots = secularRoots(poles, weights, rho);
  const exact = exactWeights(poles, weights, roots);

  // Old and new eigenvalues in one order: index < active.length is a root, beyond it a settled one.
  const all = [...roots.values, ...settled.map((i) => d[i]!)];
  const ascending = Array.from({ length: n }, (_, i) => i).sort((i, j) => all[i]! - all[j]! || i - j);
  const wanted = ascending.slice(from, to);
  const turning = wanted.filter((i) => i < active.length);
  const turn = matrix(turning.length, active.length);
  turning.forEach((root, row) => secularVector(exact, roots.distances.subarray(root * active.length, (root + 1) * active.length), turn.values.subarray(row * active.length, (row + 1) * active.length)));
  const source = matrix(active.length, n);
  active.forEach((i, row) => source.values.set(vectors.values.subarray(i * n, (i + 1) * n), row * n));
  const turned = turning.length > 0 ? (await product(kernels, turn, source)).values : new Float64Array(0);

  const rows = new Float64Array(wanted.length * n);
  let next = 0;
  wanted.forEach((i, row) => {
    if (i < active.length) rows.set(turned.subarray(next * n, ++next * n), row * n);
    else rows.set(vectors.values.subarray(settled[i - active.length]! * n, (settled[i - active.length]! + 1) * n), row * n);
  });
  return { values: Float64Array.from(ascending, (i) => all[i]!), rows };
}

/** Sources in ascending order of value: 0… are of `first`, then those of `second`. */
function mergedOrder(first: Float64Array, second: Float64Array): number[] {
  const order: number[] = [];
  let [i, j] = [0, 0];
  while (i < first.length || j < second.length) {
    if (j === second.length || (i < first.length && first[i]! <= second[j]!)) order.push(i++);
    else order.push(first.length + j++);
  }
  return order;
}

/**
 * Sets aside what is an eigenpair as it is: where z is negligible, and, once a rotation has made one z zero, one of two
 * values that are equal to working precision. Changes d, z and the rows of `vectors`.
 */
function deflated(d: Float64Array, z: Float64Array, rho: number, vectors: Matrix): { active: number[]; settled: number[] } {
  const n = d.length;
  let largest = rho;
  for (const value of d) largest = Math.max(largest, Math.abs(value));
  const negligible = 8 * Number.EPSILON * largest;
  const active: number[] = [];
  const settled: number[] = [];
  for (let i = 0; i < n; i++) {
    if (rho * Math.abs(z[i]!) <= negligible) {
      settled.push(i);
      continue;
    }
    const before = active.at(-1);
    if (before !== undefined) {
      const length = Math.hypot(z[before]!, z[i]!);
      const [c, s] = [z[i]! / length, -z[before]! / length];
      if (Math.abs((d[i]! - d[before]!) * c * s) <= negligible) {
        z[i] = length;
        z[before] = 0;
        const [low, high] = [d[before]!, d[i]!];
        d[before] = low * c * c + high * s * s;
        d[i] = low * s * s + high * c * c;
        rotateRows(vectors.values, before * n, i * n, n, c, s);
        active.pop();
        settled.push(before);
      }
    }
    active.push(i);
  }
  return { active, settled };
}

/** The unit eigenvector of one root: z_j / (d_j − λ). */
function secularVector(z: Float64Array, distances: Float64Array, out: Float64Array): void {
  let sum = 0;
  for (let j = 0; j < out.length; j++) {
    out[j] = z[j]! / distances[j]!;
    sum += out[j]! * out[j]!;
  }
  const scale = 1 / Math.sqrt(sum);
  for (let j = 0; j < out.length; j++) out[j] = out[j]! * scale;
}

/** rows ← rows·H_last·…·H_first, many reflections at once: H_1·…·H_k = I − V·T·Vᵀ (Schreiber and Van Loan 1989). */
async function reflectRows(rows: Matrix, reflections: readonly Reflection[], kernels: DenseKernels): Promise<void> {
  const n = rows.cols;
  for (let end = reflections.length; end > 0; end -= reflectionsAtOnce) {
    const group = reflections.slice(Math.max(0, end - reflectionsAtOnce), end).reverse(); // in the order they are applied
    const v = matrix(group.length, n);
    group.forEach(({ v: each }, i) => v.values.set(each, i * n));
    const inner = (await product(kernels, v, v, { transposeB: true })).values;
    const count = group.length;
    const t = matrix(count, count);
    for (let j = 0; j < count; j++) {
      const { beta } = group[j]!;
      t.values[j * count + j] = beta;
      for (let i = 0; i < j; i++) {
        let sum = 0;
        for (let k = i; k < j; k++) sum += t.values[i * count + k]! * inner[k * count + j]!;
        t.values[i * count + j] = -beta * sum;
      }
    }
    const shares = await product(kernels, await product(kernels, rows, v, { transposeB: true }), t);
    subtract(rows.values, (await product(kernels, shares, v)).values);
  }
}
