// Answering in batches against answering one by one, and both against a float64 model in plain loops.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PeftAdapter } from "../../native-models/adapter/peft.ts";
import { adapterFeeds, type AdapterFeeds } from "../../native-models/answering/adapter-feeds.ts";
import { createAnswerer, type Answerer, type Generated, type GenerateOptions, type Row } from "../../native-models/answering/answerer.ts";
import type { Checkpoint } from "../../native-models/checkpoint/types.ts";
import { logSoftmax, naiveLlama, type NaiveLlama, type NaiveUpdates } from "../support/naive-llama.ts";
import { tinyPeftAdapter, updatesOfPeft } from "../support/tiny-adapters.ts";
import { tinyCheckpoint, tinyRow } from "../support/tiny-training.ts";

const maxLength = 160;
const logTolerance = 1e-4; // float32 logits of order 10: each about 1e-6, added up over a continuation of 100 tokens
const tokenTolerance = 1e-5; // one of them

let folder: string;
let checkpoint: Checkpoint;
let answerer: Answerer;
let model: NaiveLlama;
let adapters: AdapterFeeds;
/** What each adapter adds; index as in the rows. */
let updates: NaiveUpdates[];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "nullspace-answering-"));
  checkpoint = tinyCheckpoint(join(folder, "model"));
  answerer = await createAnswerer({ checkpoint, maxLength, session: { threads: 1 } });
  model = naiveLlama(checkpoint);
  // Unequal ranks, a scale, and one adapter that leaves most modules alone.
  const list: PeftAdapter[] = [tinyPeftAdapter(checkpoint, { rank: 2, seed: 1 }), tinyPeftAdapter(checkpoint, { rank: 5, seed: 2, scale: 0.5, only: "q_proj" })];
  adapters = adapterFeeds(checkpoint.config, list);
  updates = list.map(updatesOfPeft);
});
afterAll(async () => {
  await answerer.release();
  rmSync(folder, { recursive: true, force: true });
});

const prompt = (length: number, seed: number): number[] => Array.from(tinyRow(length, 0, seed).ids);
const rowsOf = (prompts: readonly number[][], which: (i: number) => number | null): Row[] => prompts.map((ids, i) => ({ ids, adapter: which(i) }));

async function together(rows: readonly Row[], options: GenerateOptions): Promise<Generated[]> {
  return (await answerer.begin(rows, { adapters })).generate(options);
}

async function oneByOne(rows: readonly Row[], options: GenerateOptions): Promise<Generated[]> {
  const all: Generated[] = [];
  for (const row of rows) all.push(...(await together([row], options)));
  return all;
}

function reference({ ids, adapter }: Row, count: number): number[] {
  const own = [...ids];
  for (let n = 0; n < count; n++) {
    const last = model.logits(own, adapter === null ? undefined : updates[adapter]).at(-1)!;
    own.push(last.indexOf(Math.max(...last)));
  }
  return own.slice(ids.length);
}

describe("greedy answers", () => {
  test("of prompts of unequal lengths in one batch equal those one by one, and the reference's", async () => {
    const rows = rowsOf([prompt(3, 1), prompt(14, 2), prompt(7, 3), prompt(1, 4)], () => null);
    const batch = await together(rows, { maxNewTokens: 12, eosIds: [] });
    expect(batch).toEqual(await oneByOne(rows, { maxNewTokens: 12, eosIds: [] }));
    rows.forEach((row, i) => expect(batch[i].ids).toEqual(reference(row, 12)));
  });

  test("after a shared prefix equal those one by one, for the base and each adapter", async () => {
    const prefix = prompt(24, 5);
    const rests = [[9, 8, 7], [30], [31, 32, 33, 34, 35, 36], [40, 41], [50], [9, 8, 6]];
    const rows = rowsOf(rests.map((rest) => [...prefix, ...rest]), (i) => [null, 0, 1][i % 3]);
    const batch = await together(rows, { maxNewTokens: 8, eosIds: [] });
    expect(batch).toEqual(await oneByOne(rows, { maxNewTokens: 8, eosIds: [] }));
    rows.forEach((row, i) => expect(batch[i].ids, `row ${i}`).toEqual(reference(row, 8)));
  });

  test("of the same prompt by base and adapters in one batch are those each gives alone, and differ", async () => {
    const rows = rowsOf([prompt(20, 6), prompt(20, 6), prompt(20, 6), prompt(20, 6)], (i) => [null, 0, 1, 0][i]);
    const batch = await together(rows, { maxNewTokens: 10, eosIds: [] });
    rows.forEach((row, i) => expect(batch[i].ids, `row ${i}`).toEqual(reference(row, 10)));
    expect(batch[3]).toEqual(batch[1]);
    expect(new Set(batch.map(({ ids }) => ids.join())).size).toBe(3);
  });

  test("that end at different times leave the others as they are", async () => {
    const rows = rowsOf([prompt(5, 7), prompt(11, 8), prompt(8, 9), prompt(6, 10)], (i) => (i % 2 === 0 ? null : 0));
    const whole = await oneByOne(rows, { maxNewTokens: 12, eosIds: [] });
    // Tokens that end two rows early and leave the other two.
    const eosIds = [whole[0].ids[2], whole[3].ids[6]];
    const batch = await together(rows, { maxNewTokens: 12, eosIds });
    expect(batch).toEqual(await oneByOne(rows, { maxNewTokens: 12, eosIds }));
    rows.forEach((_, i) => {
      const end = whole[i].ids.findIndex((id) => eosIds.includes(id));
      expect(batch[i]).toEqual(end < 0 ? { ids: whole[i].ids, stopped: "length" } : { ids: whole[i].ids.slice(0, end), stopped: "eos" });
    });
    expect(new Set(batch.map(({ ids }) => ids.length)).size).toBeGreaterThanOrEqual(3);
  });

  test("end where the caller says, and where the row is as long as the model takes", async () => {
    const rows = rowsOf([prompt(4, 11), prompt(maxLength - 3, 12)], () => null);
    const seen: number[] = [];
    const [stopped, full] = await together(rows, { maxNewTokens: 9, eosIds: [], onToken: (row, id) => row === 0 && seen.push(id) === 2 });
    expect(stopped).toEqual({ ids: reference(rows[0], 2), stopped: "stop" });
    expect(seen).toEqual(stopped.ids);
    expect(full.stopped).toBe("length");
    expect(rows[1].ids.length + full.ids.length).toBe(maxLength);
    expect(full.ids).toEqual(reference(rows[1], full.ids.length));
  });

  test("stop with the signal's reason when cancelled", async () => {
    const controller = new AbortController();
    const begun = await answerer.begin(rowsOf([prompt(4, 13)], () => null), { adapters });
    const stopped = begun.generate({ maxNewTokens: 50, eosIds: [], signal: controller.signal, onToken: () => (controller.abort(new Error("asked to stop")), false) });
    await expect(stopped).rejects.toThrow("asked to stop");
  });
});

describe("log-likelihoods", () => {
  function expectedTokens({ ids, adapter }: Row, continuation: readonly number[]): number[] {
    const all = model.logits([...ids, ...continuation], adapter === null ? undefined : updates[adapter]);
    return continuation.map((id, t) => logSoftmax(all[ids.length - 1 + t])[id]);
  }
  const expected = (row: Row, continuation: readonly number[]): number => expectedTokens(row, continuation).reduce((sum, value) => sum + value, 0);

  test.each([
    { name: "of one to nine tokens", lengths: [1, 4, 9, 2, 6], promptLength: 5 },
    { name: "after a shared prefix", lengths: [3, 1, 5, 2], promptLength: 30 },
    { name: "that need more positions than are computed at once", lengths: [100, 90, 110, 40], promptLength: 6 },
  ])("of continuations $name are the log-softmax of full forward logits", async ({ name, lengths, promptLength }) => {
    const isShared = promptLength === 30;
    const rows = rowsOf(lengths.map((_, i) => (isShared ? [...prompt(24, 14), ...prompt(6, 15 + i)] : prompt(promptLength + i, 15 + i))), (i) => [null, 0, 1][i % 3]);
    const continuations = lengths.map((length, i) => prompt(length, 40 + i));
    const begun = await answerer.begin(rows, { adapters });
    const scores = await begun.score(continuations);
    const worst = Math.max(...rows.map((row, i) => Math.abs(scores[i].logLikelihood - expected(row, continuations[i]))));
    console.log(`log-likelihoods ${name}: worst difference ${worst.toExponential(1)} nats from float64`);
    expect(worst).toBeLessThan(logTolerance);
    expect(scores.map(({ tokens }) => tokens)).toEqual(lengths);
    expect(await begun.score(continuations), "scoring leaves the rows as they were").toEqual(scores);
  });

  test("of every single token are those of full forward logits, also of a row too long to be computed at once", async () => {
    const wide = await createAnswerer({ checkpoint, maxLength: 400, session: { threads: 1 } });
    const rows = rowsOf([prompt(9, 60), prompt(12, 61)], (i) => [null, 0][i]);
    const continuations = [prompt(380, 62), prompt(7, 63)];
    const scores = await (await wide.begin(rows, { adapters })).score(continuations);
    const worst = Math.max(...rows.flatMap((row, i) => expectedTokens(row, continuations[i]).map((value, t) => Math.abs(value - scores[i].tokenLogLikelihoods[t]))));
    console.log(`log-likelihoods of single tokens: worst difference ${worst.toExponential(1)} nats from float64`);
    expect(worst).toBeLessThan(tokenTolerance);
    expect(scores.map(({ tokenLogLikelihoods }) => tokenLogLikelihoods.length)).toEqual([380, 7]);
    await wide.release();
  });

  test("of the greedy answer are greedy, of another one not", async () => {
    const rows = rowsOf([prompt(9, 16), prompt(9, 16), prompt(9, 16)], (i) => [null, 0, 0][i]);
    const answers = rows.map((row) => reference(row, 5));
    answers[2] = [...answers[2].slice(0, 4), (answers[2][4] + 1) % 300];
    const scores = await (await answerer.begin(rows, { adapters })).score(answers);
    expect(scores.map(({ isGreedy }) => isGreedy)).toEqual([true, true, false]);
  });
});
