// Attention over the padded layout [B,T], as calibration uses it.
// In: packed rows of queries, keys and values, the maps of packed-rows.ts. Out: mixed values of every token.
// Source: grouped-query attention (arXiv 2305.13245).

import type { Checkpoint } from "../checkpoint/types.ts";
import type { GraphBuilder, RowMap } from "../graph/builder.ts";
import { times } from "../graph/dims.ts";
import type { Value } from "../graph/value.ts";
import type { Mix } from "./decoder.ts";
import { rotations, type Rotation } from "./rotary-tables.ts";

export interface DecoderInputs {
  /** [N] token ids. */
  ids: Value;
  map: RowMap;
  /** [B,T] position of each place in its row. */
  positions: Value;
}

/** Declares the inputs that every program over packed rows has. */
export function declareDecoderInputs(g: GraphBuilder): DecoderInputs {
  return {
    ids: g.input("ids", "int64", ["N"]),
    map: {
      to: g.input("map.to", "int64", ["B", "T"]),
      from: g.input("map.from", "int64", ["N"]),
      valid: g.input("map.valid", "float32", ["B", "T", 1]),
    },
    positions: g.input("positions", "int64", ["B", "T"]),
  };
}

export interface PaddedAttentionOptions {
  g: GraphBuilder;
  checkpoint: Checkpoint;
  inputs: Omit<DecoderInputs, "ids">;
  /** Positions the rotary tables cover. */
  maxLength: number;
  /** [rep·T,T], added to the scores. */
  mask: Value;
}

export function paddedAttention({ g, checkpoint, inputs, maxLength, mask }: PaddedAttentionOptions): Mix {
  const { heads: H, kvHeads: G, headSize: E } = checkpoint.config;
  const rep = H / G;
  const rotation = rotations(g, checkpoint.config, maxLength);
  const [B, T] = inputs.positions.shape;
  const rotated = (rows: Value, { cos, sin }: Rotation, count: number): Value => g.rotary(rows, inputs.positions, cos, sin, count);
  return (rows) => {
    const [qRows, kRows, vRows] = [rows.q, rows.k, rows.v].map((each) => g.spreadRows(each, inputs.map)); // [N,·] → [B,T,·]
    const q = g.transpose(g.reshape(rotated(qRows, rotation.q, H), [B, T, G, rep, E]), [0, 2, 3, 1, 4]); // → [B,G,rep,T,E]
    const k = g.transpose(g.reshape(rotated(kRows, rotation.k, G), [B, T, G, E]), [0, 2, 3, 1]); // → [B,G,E,T]
    const v = g.transpose(g.reshape(vRows, [B, T, G, E]), [0, 2, 1, 3]); // → [B,G,T,E]
    const scores = g.add(g.matmul(g.reshape(q, [B, G, times(T, rep), E]), k), mask); // [B,G,rep·T,T]
    const mixed = g.reshape(g.softmaxMatMul(scores, v), [B, G, rep, T, E]);
    const merged = g.reshape(g.transpose(mixed, [0, 3, 1, 2, 4]), [B, T, H * E]); // → [B,T,H·E]
    return g.collectRows(merged, inputs.map);
  };
}
