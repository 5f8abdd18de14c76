// Attention of training rows in blocks of consecutive positions: block i holds the queries of its positions and the keys
// up to its end, so what lies above the diagonal is computed within a block only, and a row that ends before a block has
// no place in it. With four blocks that is 5/8 of the scores. Tokens that all rows begin with are keys of every row.
// In: packed rows of queries, keys and values, the maps of block-feeds.ts. Out: mixed values of every token.
// Rows go from packed to [B,heads,T,E] and back by index, so nothing is transposed.

import type { Checkpoint } from "../checkpoint/types.ts";
import type { BlockMap } from "../graph/block-map.ts";
import type { GraphBuilder } from "../graph/builder.ts";
import { times } from "../graph/dims.ts";
import type { Value } from "../graph/value.ts";
import type { Mix } from "./decoder.ts";
import { rotations, type Rotation } from "./rotary-tables.ts";

export interface CausalBlocksOptions {
  g: GraphBuilder;
  checkpoint: Checkpoint;
  /** Positions the rotary tables cover. */
  maxLength: number;
}

/**
 * Blocks of every program, so that sums are the same whatever else is computed. Measured on rows of 192 tokens: 2, 3 and 4
 * blocks train 8, 8 and 11 % faster than one; more nodes take longer to load.
 */
export const blockCount = 4;

/** Declares the maps as inputs (block-feeds.ts feeds them) and attends through them. */
export function causalBlocks({ g, checkpoint, maxLength }: CausalBlocksOptions): Mix {
  const { heads: H, kvHeads: G, headSize: E } = checkpoint.config;
  const rep = H / G;
  const blocks = Array.from({ length: blockCount }, (_, i) => i);
  const positions = g.input("positions", "int64", ["N", 1]);
  const zero = g.constant(new Float32Array(E), [1, E]);
  const queries: BlockMap = {
    rows: times("N", H),
    ids: blocks.map((i) => g.input(`block.${i}.q`, "int64", [`B${i}`, H, `T${i}`])),
    valid: blocks.map((i) => g.input(`block.${i}.valid`, "float32", [`B${i}`, 1, `T${i}`, 1])),
    sums: [g.input("block.q.sums", "int64", [1, times("N", H)])],
    zero,
  };
  const keys: BlockMap = {
    rows: times("N", G),
    ids: blocks.map((i) => g.input(`block.${i}.k`, "int64", [`B${i}`, G, `S${i}`])),
    valid: null,
    sums: [g.input("block.k.shared", "int64", ["C", "P"]), g.input("block.k.own", "int64", [blocks.length, "Q"])],
    zero,
  };
  const masks = blocks.map((i) => g.input(`block.${i}.mask`, "float32", [times(`T${i}`, rep), `S${i}`]));
  const rotation = rotations(g, checkpoint.config, maxLength);
  const perHead = (rows: Value, count: number): Value => g.reshape(rows, [times("N", count), E]);
  // The runtime bounds a sequence, not a batch, by the tables' length: every token is a row of one.
  const rotated = (rows: Value, { cos, sin }: Rotation, count: number): Value => perHead(g.rotary(g.reshape(rows, ["N", 1, count * E]), positions, cos, sin, count), count);

  return ({ q, k, v }) => {
    const [qs, ks, vs] = [g.gatherBlocks(rotated(q, rotation.q, H), queries), g.gatherBlocks(rotated(k, rotation.k, G), keys), g.gatherBlocks(perHead(v, G), keys)];
    const mixed = blocks.map((i) => {
      const [B, , T] = qs[i].shape;
      const scores = g.matmul(g.reshape(qs[i], [B, G, times(T, rep), E]), g.swapLast(ks[i])); // [B,G,rep·T,S]
      return g.reshape(g.softmaxMatMul(g.add(scores, masks[i]), vs[i]), [B, H, T, E]);
    });
    return g.reshape(g.sumBlocks(mixed, queries), ["N", H * E]);
  };
}
