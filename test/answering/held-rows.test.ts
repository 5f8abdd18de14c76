// Rows that go on from what an earlier answer left: the same answers, fewer tokens computed.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { adapterFeeds, type AdapterFeeds } from "../../native-models/answering/adapter-feeds.ts";
import { createAnswerer, type Answerer, type HeldRows, type Row } from "../../native-models/answering/answerer.ts";
import { KeyValueCache } from "../../native-models/answering/cache.ts";
import { resumeRows } from "../../native-models/answering/held-rows.ts";
import type { ModelConfig } from "../../native-models/checkpoint/types.ts";
import { tinyPeftAdapter } from "../support/tiny-adapters.ts";
import { tinyCheckpoint, tinyRow } from "../support/tiny-training.ts";

const tolerance = 1e-4; // nats; float32 logits of order 10, computed in runs of other lengths

let folder: string;
let answerer: Answerer;
let config: ModelConfig;
let adapters: AdapterFeeds;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "nullspace-held-"));
  const checkpoint = tinyCheckpoint(folder);
  config = checkpoint.config;
  adapters = adapterFeeds(config, [tinyPeftAdapter(checkpoint, { rank: 3, seed: 1 })]);
  answerer = await createAnswerer({ checkpoint, maxLength: 300, session: { threads: 1 } });
});
afterAll(async () => {
  await answerer.release();
  rmSync(folder, { recursive: true, force: true });
});

const tokens = (length: number, seed: number): number[] => Array.from(tinyRow(length, 0, seed).ids);
/** Base and adapter, with beginnings of different lengths. */
const firstTurn = (): Row[] => [{ ids: tokens(20, 1), adapter: null }, { ids: tokens(31, 2), adapter: 0 }];
const resumed = (rows: readonly Row[], held: HeldRows): number[] => resumeRows(rows, held, new KeyValueCache(config, rows.length));

async function answer(rows: readonly Row[], held: HeldRows | null, maxNewTokens = 9) {
  const begun = await answerer.begin(rows, { adapters, held });
  const generated = await begun.generate({ maxNewTokens, eosIds: [] });
  return { ids: generated.map(({ ids }) => ids), held: begun.held(), begun };
}

test("five turns that each go on from the last one have the answers of turns computed anew", async () => {
  let rows = firstTurn();
  let held: HeldRows | null = null;
  for (let turn = 0; turn < 5; turn++) {
    const fresh = await answer(rows, null);
    const going = await answer(rows, held);
    expect(going.ids).toEqual(fresh.ids);
    held = going.held;
    const before = rows.map(({ ids }, i) => ids.length + going.ids[i].length - 1); // the last new token was never computed on
    rows = rows.map(({ ids, adapter }, i) => ({ ids: [...ids, ...going.ids[i], ...tokens(5 + i, 100 + turn)], adapter }));
    expect(resumed(rows, held)).toEqual(before);
  }
});

test("log-likelihoods behind rows that go on are those behind rows computed anew; held rows end with what was scored over", async () => {
  const { ids, held } = await answer(firstTurn(), null);
  const rows = firstTurn().map((row, i) => ({ ...row, ids: [...row.ids, ...ids[i], 7, 8] }));
  const continuations = [tokens(6, 40), tokens(6, 41)];
  const [fresh, going] = await Promise.all([null, held].map(async (before) => (await answerer.begin(rows, { adapters, held: before })).score(continuations)));
  going.forEach(({ logLikelihood }, i) => expect(Math.abs(logLikelihood - fresh[i].logLikelihood)).toBeLessThan(tolerance));
  const { begun } = await answer(rows, held);
  await begun.score(continuations);
  expect(begun.held().rows.map((row) => row.ids)).toEqual(rows.map((row) => row.ids));
});

test("an answer that is cut short is held as far as it came", async () => {
  const stopping = new AbortController();
  const begun = await answerer.begin(firstTurn(), { adapters });
  const said: number[][] = [[], []];
  const onToken = (row: number, id: number): boolean => {
    said[row].push(id);
    if (said[0].length === 4) stopping.abort(new Error("asked to stop"));
    return row === 1 && said[1].length === 2; // the second row has ended before
  };
  await expect(begun.generate({ maxNewTokens: 9, eosIds: [], onToken, signal: stopping.signal })).rejects.toThrow("asked to stop");
  const rows = firstTurn().map((row, i) => ({ ...row, ids: [...row.ids, ...said[i], 9] }));
  expect(resumed(rows, begun.held())).toEqual([20 + 3, 31 + 1]);
  expect((await answer(rows, begun.held())).ids).toEqual((await answer(rows, null)).ids);
});

test("a row goes on from one of its own adapter only, from what they have in common, and computes its last token in any case", async () => {
  const { held } = await answer(firstTurn(), null);
  const [base, tuned] = firstTurn();
  expect(resumed([{ ...base, adapter: 0 }, { ...tuned, adapter: null }], held)).toEqual([0, 0]);
  expect(resumed([tuned, base], held)).toEqual([30, 19]);
  expect(resumed([{ ids: [...base.ids.slice(0, 12), 5, 5, 5], adapter: null }], held)).toEqual([12]);
  const swapped = [tuned, base];
  expect((await answer(swapped, held)).ids).toEqual((await answer(swapped, null)).ids);
});
