// How many tokens rows begin with that are the same in all of them.

/** Of two rows. */
export function commonLength(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const shorter = Math.min(a.length, b.length);
  let length = 0;
  while (length < shorter && a[length] === b[length]) length += 1;
  return length;
}

/** Of all rows; every row keeps at least one of its own. One row shares nothing. */
export function commonPrefix(rows: readonly ArrayLike<number>[]): number {
  const [first] = rows;
  if (first === undefined || rows.length === 1) return 0;
  return Math.max(0, Math.min(...rows.map((row) => Math.min(row.length - 1, commonLength(first, row)))));
}
