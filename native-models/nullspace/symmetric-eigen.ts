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

/** I − beta·v·vᵀ on the first v.length coordinates. */
export interface Reflection {
  v: Float64Array;
  beta: number;
}

/** Eigen-decomposition of the symmetric `a` [n,n]. Only the lower triangle is read. */
export function symmetricEigen(a: Float64Array, n: number): SymmetricEigen {
  const { diagonal, offDiagonal, reflections } = tridiagonalize(Float64Array.from(a.subarray(0, n * n)), n);
  const rows = accumulated(reflections, n);
  implicitQl(diagonal, offDiagonal, rows, n);
  return ascending(diagonal, rows, n);
}

/** Eigen-decomposition of the tridiagonal matrix with `diagonal` [n] and `beside` it [n−1]. */
export function tridiagonalEigen(diagonal: Float64Array, beside: Float64Array): SymmetricEigen {
  const n = diagonal.length;
  const offDiagonal = new Float64Array(n);
  offDiagonal.set(beside, 1);
  const rows = identity(n);
  const values = Float64Array.from(diagonal);
  implicitQl(values, offDiagonal, rows, n);
  return ascending(values, rows, n);
}

export interface Tridiagonal {
  diagonal: Float64Array;
  /** offDiagonal[i] couples i−1 and i. */
  offDiagonal: Float64Array;
  /** a = Qᵀ·tri·Q with Q = H_last·…·H_first. */
  reflections: Reflection[];
}

/** Householder's tridiagonal form. `a` [n,n] is used up; only its lower triangle is read. */
export function tridiagonalize(a: Float64Array, n: number): Tridiagonal {
  const diagonal = new Float64Array(n);
  const offDiagonal = new Float64Array(n);
  const reflections: Reflection[] = [];
  const p = new Float64Array(n);
  const next = new Float64Array(n);
  // The update A − v·qᵀ − q·vᵀ of one step waits for the next one, which reads the matrix anyway: one pass, not two.
  let pending: { v: Float64Array; q: Float64Array } | null = null;
  for (let i = n - 1; i >= 1; i--) {
    const row = i * n;
    if (pending) updateRow(a, row, i, pending.v, pending.q);
    diagonal[i] = a[row + i]!;
    const reflection = reflectionOf(a, row, i);
    if (!reflection) {
      offDiagonal[i] = 0;
      if (pending) for (let j = 0; j < i; j++) updateRow(a, j * n, j, pending.v, pending.q);
      pending = null;
      continue;
    }
    const { v, beta, length } = reflection;
    offDiagonal[i] = length;
    next.fill(0, 0, i);
    if (pending) updateAndMultiply(a, n, i, pending.v, pending.q, v, next);
    else multiplyLower(a, n, i, v, next);
    let pv = 0;
    for (let j = 0; j < i; j++) {
      next[j] = next[j]! * beta;
      pv += next[j]! * v[j]!;
    }
    const half = (beta / 2) * pv;
    for (let j = 0; j < i; j++) p[j] = next[j]! - half * v[j]!;
    pending = { v, q: p };
    reflections.push({ v, beta });
  }
  if (pending) updateRow(a, 0, 0, pending.v, pending.q);
  diagonal[0] = a[0]!;
  return { diagonal, offDiagonal, reflections };
}

/** The reflection that turns row i left of the diagonal into (0, …, 0, length), or null where it is zero. */
function reflectionOf(a: Float64Array, row: number, i: number): (Reflection & { length: number }) | null {
  let scale = 0;
  for (let j = 0; j < i; j++) scale += Math.abs(a[row + j]!);
  if (scale === 0) return null;
  const v = new Float64Array(i);
  let norm2 = 0;
  for (let j = 0; j < i; j++) {
    v[j] = a[row + j]! / scale;
    norm2 += v[j]! * v[j]!;
  }
  const norm = Math.sqrt(norm2);
  const last = v[i - 1]!;
  const sigma = last > 0 ? -norm : norm;
  v[i - 1] = last - sigma;
  return { v, beta: 1 / (norm2 - last * sigma), length: sigma * scale };
}

/** Row j of the lower triangle of A − v·qᵀ − q·vᵀ. */
function updateRow(a: Float64Array, base: number, j: number, v: Float64Array, q: Float64Array): void {
  const vj = v[j]!;
  const qj = q[j]!;
  for (let k = 0; k <= j; k++) a[base + k] = a[base + k]! - vj * q[k]! - qj * v[k]!;
}

/** out += A·x for the leading `size` rows of the symmetric A, whose lower triangle is given. */
function multiplyLower(a: Float64Array, n: number, size: number, x: Float64Array, out: Float64Array): void {
  for (let j = 0; j < size; j++) {
    const base = j * n;
    const xj = x[j]!;
    let sum = a[base + j]! * xj;
    for (let k = 0; k < j; k++) {
      const ajk = a[base + k]!;
      sum += ajk * x[k]!;
      out[k] = out[k]! + ajk * xj;
    }
    out[j] = out[j]! + sum;
  }
}

/** A −= v·qᵀ + q·vᵀ and out += A·x in one pass. */
function updateAndMultiply(a: Float64Array, n: number, size: number, v: Float64Array, q: Float64Array, x: Float64Array, out: Float64Array): void {
  for (let j = 0; j < size; j++) {
    const base = j * n;
    const [vj, qj, xj] = [v[j]!, q[j]!, x[j]!];
    let sum = 0;
    for (let k = 0; k < j; k++) {
      const ajk = a[base + k]! - vj * q[k]! - qj * v[k]!;
      a[base + k] = ajk;
      sum += ajk * x[k]!;
      out[k] = out[k]! + ajk * xj;
    }
    const ajj = a[base + j]! - 2 * vj * qj;
    a[base + j] = ajj;
    out[j] = out[j]! + sum + ajj * xj;
  }
}

function identity(n: number): Float64Array {
  const out = new Float64Array(n * n);
  for (let i = 0; i < n; i++) out[i * n + i] = 1;
  return out;
}

/** Q = H_last·…·H_first: its rows are the basis of the tridiagonal form. */
function accumulated(reflections: readonly Reflection[], n: number): Float64Array {
  const q = identity(n);
  const p = new Float64Array(n);
  // The reflections are applied from the smallest up, each to the leading block that is filled so far: q ← q·H.
  for (let t = reflections.length - 1; t >= 0; t--) {
    const { v, beta } = reflections[t]!;
    const { length } = v;
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
        rotateRows(rows, i * n, (i + 1) * n, n, c, -s);
      }
      if (isDeflated) continue;
      d[l] = d[l]! - p;
      e[l] = g;
      e[m] = 0;
    }
  }
}

/** Of the two rows [n] that begin there: x ← c·x + s·y, y ← c·y − s·x. */
export function rotateRows(rows: Float64Array, first: number, second: number, n: number, c: number, s: number): void {
  for (let k = 0; k < n; k++) {
    const x = rows[first + k]!;
    const y = rows[second + k]!;
    rows[first + k] = c * x + s * y;
    rows[second + k] = c * y - s * x;
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
