// All eigenvalues and eigenvectors of a small dense symmetric matrix, float64.
// Householder reduction to tridiagonal form, then implicit QL (Bowdler, Martin, Reinsch and Wilkinson, Handbook for
// Automatic Computation II/2 and II/3). Used inside the subspace iteration, where the matrix is a few hundred wide at
// most; eigenvectors are kept as rows so that every rotation runs along memory. Cost about 6·n³ flops.

export interface SymmetricEigen {
  /** Ascending. */
  values: Float64Array;
  /** Row i, [n] long at i·n, is the unit eigenvector of values[i]. */
  rows: Float64Array;
}

/** Eigen-decomposition of the symmetric `a` [n,n]. Only the lower triangle is read. */
export function symmetricEigen(a: Float64Array, n: number): SymmetricEigen {
  const work = Float64Array.from(a.subarray(0, n * n));
  const diagonal = new Float64Array(n);
  const offDiagonal = new Float64Array(n); // offDiagonal[i] couples i−1 and i
  const rows = tridiagonalize(work, n, diagonal, offDiagonal);
  implicitQl(diagonal, offDiagonal, rows, n);
  return ascending(diagonal, rows, n);
}

/** a = Qᵀ·tri·Q: fills the tridiagonal and returns Q, whose rows are the basis of the tridiagonal form. */
function tridiagonalize(a: Float64Array, n: number, diagonal: Float64Array, offDiagonal: Float64Array): Float64Array {
  const vectors: { v: Float64Array; beta: number; length: number }[] = [];
  const p = new Float64Array(n);
  for (let i = n - 1; i >= 1; i--) {
    // Row i left of the diagonal is turned into (0, …, 0, σ) by a reflection of the first i coordinates.
    const length = i;
    const row = i * n;
    let scale = 0;
    for (let j = 0; j < length; j++) scale += Math.abs(a[row + j]!);
    if (scale === 0) {
      offDiagonal[i] = 0;
      continue;
    }
    const v = new Float64Array(length);
    let norm2 = 0;
    for (let j = 0; j < length; j++) {
      v[j] = a[row + j]! / scale;
      norm2 += v[j]! * v[j]!;
    }
    const norm = Math.sqrt(norm2);
    const last = v[length - 1]!;
    const sigma = last > 0 ? -norm : norm;
    offDiagonal[i] = sigma * scale;
    const beta = 1 / (norm2 - last * sigma); // H = I − beta·v·vᵀ
    v[length - 1] = last - sigma;
    // p = beta·A·v over the leading block (lower triangle), then A −= v·qᵀ + q·vᵀ with q = p − (beta/2)(pᵀv)·v.
    p.fill(0, 0, length);
    for (let j = 0; j < length; j++) {
      const base = j * n;
      const vj = v[j]!;
      let sum = a[base + j]! * vj;
      for (let k = 0; k < j; k++) {
        const ajk = a[base + k]!;
        sum += ajk * v[k]!;
        p[k] = p[k]! + ajk * vj;
      }
      p[j] = p[j]! + sum;
    }
    let pv = 0;
    for (let j = 0; j < length; j++) {
      p[j] = p[j]! * beta;
      pv += p[j]! * v[j]!;
    }
    const half = (beta / 2) * pv;
    for (let j = 0; j < length; j++) p[j] = p[j]! - half * v[j]!;
    for (let j = 0; j < length; j++) {
      const base = j * n;
      const vj = v[j]!;
      const qj = p[j]!;
      for (let k = 0; k <= j; k++) a[base + k] = a[base + k]! - vj * p[k]! - qj * v[k]!;
    }
    vectors.push({ v, beta, length });
  }
  for (let i = 0; i < n; i++) diagonal[i] = a[i * n + i]!;
  return accumulated(vectors, n, p);
}

/** Qᵀ = H_{n−1}·…·H_1, applied so that rows of the result are the basis vectors. */
function accumulated(vectors: { v: Float64Array; beta: number; length: number }[], n: number, p: Float64Array): Float64Array {
  const q = new Float64Array(n * n);
  for (let i = 0; i < n; i++) q[i * n + i] = 1;
  // The reflections are applied from the smallest up, each to the leading block that is filled so far: q ← q·H.
  for (let t = vectors.length - 1; t >= 0; t--) {
    const { v, beta, length } = vectors[t]!;
    for (let i = 0; i < length; i++) {
      const base = i * n;
      let sum = 0;
      for (let j = 0; j < length; j++) sum += q[base + j]! * v[j]!;
      p[i] = sum * beta;
    }
    for (let i = 0; i < length; i++) {
      const base = i * n;
      const pi = p[i]!;
      for (let j = 0; j < length; j++) q[base + j] = q[base + j]! - pi * v[j]!;
    }
  }
  return q;
}

/** QL with implicit shifts on the tridiagonal; rotations act on pairs of rows. */
function implicitQl(d: Float64Array, e: Float64Array, rows: Float64Array, n: number): void {
  for (let i = 1; i < n; i++) e[i - 1] = e[i]!;
  if (n > 0) e[n - 1] = 0;
  for (let l = 0; l < n; l++) {
    for (let sweep = 0; ; sweep++) {
      let m = l;
      for (; m < n - 1; m++) {
        const size = Math.abs(d[m]!) + Math.abs(d[m + 1]!);
        if (Math.abs(e[m]!) <= Number.EPSILON * size || e[m] === 0) break;
      }
      if (m === l) break;
      if (sweep === 60) throw new Error(`symmetricEigen: no convergence at ${l} of ${n}`);
      let g = (d[l + 1]! - d[l]!) / (2 * e[l]!);
      let r = Math.hypot(g, 1);
      g = d[m]! - d[l]! + e[l]! / (g + (g >= 0 ? r : -r));
      let s = 1;
      let c = 1;
      let p = 0;
      let isDeflated = false;
      for (let i = m - 1; i >= l; i--) {
        const f = s * e[i]!;
        const b = c * e[i]!;
        r = Math.hypot(f, g);
        e[i + 1] = r;
        if (r === 0) {
          d[i + 1] = d[i + 1]! - p;
          e[m] = 0;
          isDeflated = true;
          break;
        }
        s = f / r;
        c = g / r;
        g = d[i + 1]! - p;
        r = (d[i]! - g) * s + 2 * c * b;
        p = s * r;
        d[i + 1] = g + p;
        g = c * r - b;
        rotateRows(rows, i * n, (i + 1) * n, n, c, s);
      }
      if (isDeflated) continue;
      d[l] = d[l]! - p;
      e[l] = g;
      e[m] = 0;
    }
  }
}

function rotateRows(rows: Float64Array, first: number, second: number, n: number, c: number, s: number): void {
  for (let k = 0; k < n; k++) {
    const x = rows[first + k]!;
    const y = rows[second + k]!;
    rows[second + k] = s * x + c * y;
    rows[first + k] = c * x - s * y;
  }
}

function ascending(values: Float64Array, rows: Float64Array, n: number): SymmetricEigen {
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => values[i]! - values[j]!);
  const sorted = new Float64Array(n);
  const sortedRows = new Float64Array(n * n);
  order.forEach((from, to) => {
    sorted[to] = values[from]!;
    sortedRows.set(rows.subarray(from * n, from * n + n), to * n);
  });
  return { values: sorted, rows: sortedRows };
}
