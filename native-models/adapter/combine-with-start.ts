// A trained LoRA-Null adapter as plain LoRA on the untouched base.
// Training computes W0 x + s(B·A − B0·A0) x. In: the trained pair and its start. Out: one pair that gives the same update
// at the same scale s. With A trained the rank doubles, so the alpha written beside it doubles too.

import type { AdapterStart } from "../nullspace/types.ts";

/** [A; A0] and [B, −B0] of rank 2R; with A frozen, A and B − B0 of rank R. */
export function combineWithStart(trained: AdapterStart, start: AdapterStart, { isAFrozen }: { isAFrozen: boolean }): AdapterStart {
  const { rank } = trained;
  if (start.rank !== rank || start.a.length !== trained.a.length || start.b.length !== trained.b.length) {
    throw new Error(`an adapter of rank ${rank} does not belong to a start of rank ${start.rank}`);
  }
  if (isAFrozen) return { rank, a: trained.a, b: trained.b.map((value, i) => value - start.b[i]!) };
  const a = new Float32Array(2 * trained.a.length); // [2R,in]: A's rows, then A0's
  a.set(trained.a);
  a.set(start.a, trained.a.length);
  const b = new Float32Array(2 * trained.b.length); // [out,2R]: each row is B's, then −B0's
  for (let row = 0; row * rank < trained.b.length; row += 1) {
    for (let r = 0; r < rank; r += 1) {
      b[row * 2 * rank + r] = trained.b[row * rank + r]!;
      b[row * 2 * rank + rank + r] = -start.b[row * rank + r]!;
    }
  }
  return { rank: 2 * rank, a, b };
}
