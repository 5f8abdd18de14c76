// Dimensions: a number, or a symbol that gets its value at run time ("N", "3*T", "P+T"). Two symbols are the same
// dimension exactly when they are spelt the same, so every rule builds them through the functions here.

export type Dim = number | string;
export type Shape = readonly Dim[];

export function times(dim: Dim, factor: number): Dim {
  return product([factor, dim]);
}

export function plus(a: Dim, b: Dim): Dim {
  if (typeof a === "number" && typeof b === "number") return a + b;
  return `${a}+${b}`;
}

export function product(shape: Shape): Dim {
  let factor = 1;
  const symbols: string[] = [];
  for (const dim of shape) {
    if (typeof dim === "number") factor *= dim;
    else
      for (const part of dim.split("*")) {
        if (/^\d+$/.test(part)) factor *= Number(part);
        else symbols.push(part);
      }
  }
  if (symbols.length === 0) return factor;
  const joined = symbols.sort().join("*");
  return factor === 1 ? joined : `${factor}*${joined}`;
}

/** A dimension that is 1 or `dim`, as the feeds of a run have it: beside `dim` it broadcasts to it. */
export function oneOr(dim: Dim): Dim {
  return `1|${dim}`;
}

export function isSameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i]);
}

/** Numpy broadcasting of two shapes, or null where they do not fit. */
export function broadcast(a: Shape, b: Shape): Shape | null {
  const rank = Math.max(a.length, b.length);
  const out: Dim[] = [];
  for (let i = 0; i < rank; i++) {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x === y || y === 1 || y === oneOr(x)) out.push(x);
    else if (x === 1 || x === oneOr(y)) out.push(y);
    else return null;
  }
  return out;
}

export function formatShape(shape: Shape): string {
  return `[${shape.join(",")}]`;
}

/** Axis counted from the front. */
export function axisOf(shape: Shape, axis: number): number {
  return axis < 0 ? axis + shape.length : axis;
}
