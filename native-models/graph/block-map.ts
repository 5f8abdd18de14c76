// Maps between rows of a matrix and blocks they are laid out in: what GatherBlocks and SumBlocks take besides their data.
// In: causal-blocks.ts, which lays rows out for attention. Out: the ops' inputs in order, and back again for their rules.

import type { Dim } from "./dims.ts";
import type { BlockAttributes } from "./ops.ts";
import type { Value } from "./value.ts";

/**
 * Index maps between rows [rows,E] and blocks of them. A place is counted through all blocks, one after the other, without
 * the last axis; the number after the last place stands for a row of zeros.
 */
export interface BlockMap {
  rows: Dim;
  /** A block [lead..] each, int64: the row of each place; 0 where the place is padding. */
  ids: readonly Value[];
  /** A block [lead..,1] each, float32: 1 where a row lies, 0 at padding (axes may be 1 that broadcast). Null: no sum is differentiated. */
  valid: readonly Value[] | null;
  /** [count, some rows] int64 each, all rows in order: the places a row is the sum of. */
  sums: readonly Value[];
  /** [1,E] float32 zeros. */
  zero: Value;
}

export function blockInputs({ ids, valid, zero, sums }: BlockMap): Value[] {
  return [...ids, ...(valid ?? []), zero, ...sums];
}

export function blockAttributes({ ids, valid, rows }: BlockMap): BlockAttributes {
  return { blocks: ids.length, rows, hasValid: valid !== null };
}

/** The map among the inputs of GatherBlocks (`first` 1) or SumBlocks (`first` the number of blocks). */
export function blockMapOf(inputs: readonly Value[], first: number, { blocks, rows, hasValid }: BlockAttributes): BlockMap {
  const zeroAt = first + blocks * (hasValid ? 2 : 1);
  return {
    rows,
    ids: inputs.slice(first, first + blocks),
    valid: hasValid ? inputs.slice(first + blocks, zeroAt) : null,
    zero: inputs[zeroAt],
    sums: inputs.slice(zeroAt + 1),
  };
}
