// Which tokens a run computes, and where rows stand in it.

import { describe, expect, test } from "vitest";
import { attentionFeeds, layOut, packTokens, type RunRow } from "../../native-models/answering/attention-feeds.ts";
import type { ModelConfig } from "../../native-models/checkpoint/types.ts";

const row = (slot: number, news: number[], adapter: number | null = null, held = 0): RunRow => ({ adapter, slot, held, news });

describe("tokens of a run", () => {
  test("with which rows of one adapter begin stand once, in the second piece as in the first", () => {
    const rows = [row(0, [1, 2, 3, 4, 5]), row(1, [1, 2, 3, 9]), row(2, [1, 2, 3, 4, 5, 6]), row(3, [1, 2, 7], 0)];
    expect(packTokens({ rows, from: 0, to: 2 })).toEqual({ ids: [1, 2, 1, 2], offsets: [0, 1, 0, 1], adapters: [null, null, 0, 0], ofRow: [[0, 1], [0, 1], [0, 1], [2, 3]] });
    expect(packTokens({ rows, from: 2, to: 6 }).ofRow).toEqual([[0, 1, 2], [0, 3], [0, 4, 5, 6], [7]]);
  });

  test("of rows that hold others before are each row's own", () => {
    const { ids, offsets } = packTokens({ rows: [row(0, [5], null, 3), row(1, [5], null, 4)], from: 0, to: 1 });
    expect([ids, offsets]).toEqual([[5, 5], [3, 4]]);
  });
});

describe("places of rows", () => {
  test("are their slots once one holds tokens; before, they close up in the lanes in use", () => {
    const fresh = [row(7, [1]), row(1, [1]), row(4, [1])]; // three lanes: 1, 1, 1
    expect(layOut({ rows: fresh, from: 0, to: 1 }, 3)).toEqual({ depth: 3, firstLane: 1, lanes: 1, firstSlot: null, places: [0, 1, 2] });
    expect(layOut({ rows: fresh, from: 1, to: 2 }, 3)).toEqual({ depth: 3, firstLane: 0, lanes: 3, firstSlot: 0, places: [7, 1, 4] });
    expect(layOut({ rows: [row(9, [1], null, 2), row(7, [1])], from: 0, to: 1 }, 3)).toEqual({ depth: 2, firstLane: 0, lanes: 3, firstSlot: 6, places: [3, 1] });
  });

  test("see the prefix, their own cached tokens and the new ones up to themselves", () => {
    const piece = { rows: [row(0, [8, 9], null, 1), row(1, [8], null, 3)], from: 0, to: 2 };
    const config = { heads: 2, kvHeads: 1 } as ModelConfig;
    const feeds = attentionFeeds(piece, packTokens(piece), layOut(piece, 1), { prefix: { length: 2, places: 3 }, cached: 4 }, config);
    const mask = feeds.mask.data as Float32Array;
    const seen = (line: number): string => Array.from(mask.subarray(line * 9, (line + 1) * 9), (value) => (value < -1e29 ? "." : "x")).join("");
    expect(feeds.mask.dims).toEqual([2, 1, 1, 4, 9]);
    expect([0, 1, 2, 3, 4, 5].map(seen)).toEqual(["xx.x...x.", "xx.x...xx", "xx.x...x.", "xx.x...xx", "xx.xxx.x.", "........."]);
    expect(Array.from(feeds["map.mixed"].data as Int32Array)).toEqual([0, 2, 1, 3, 4, 6]);
  });
});
