// Questions answered a few at a time against each alone, and against a float64 model in plain loops.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { adapterFeeds, type AdapterFeeds } from "../../native-models/answering/adapter-feeds.ts";
import { mostCacheBytes } from "../../native-models/answering/answer-queue.ts";
import { createAnswerer, type Answered, type Answerer, type Question, type QueueOptions } from "../../native-models/answering/answerer.ts";
import type { Checkpoint } from "../../native-models/checkpoint/types.ts";
import { logSoftmax, naiveLlama, type NaiveLlama, type NaiveUpdates } from "../support/naive-llama.ts";
import { tinyPeftAdapter, updatesOfPeft } from "../support/tiny-adapters.ts";
import { tinyCheckpoint, tinyRow } from "../support/tiny-training.ts";

const maxLength = 160;
const logTolerance = 1e-4; // float32 logits of order 10: each about 1e-6, added up over a continuation

let folder: string;
let checkpoint: Checkpoint;
let answerer: Answerer;
let adapters: AdapterFeeds;
let model: NaiveLlama;
let updates: NaiveUpdates[];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "nullspace-queue-"));
  checkpoint = tinyCheckpoint(join(folder, "model"));
  answerer = await createAnswerer({ checkpoint, maxLength, session: { threads: 1 } });
  const list = [tinyPeftAdapter(checkpoint, { rank: 3, seed: 1 }), tinyPeftAdapter(checkpoint, { rank: 2, seed: 2, only: "q_proj" })];
  adapters = adapterFeeds(checkpoint.config, list);
  model = naiveLlama(checkpoint);
  updates = list.map(updatesOfPeft);
});
afterAll(async () => {
  await answerer.release();
  rmSync(folder, { recursive: true, force: true });
});

const tokens = (length: number, seed: number): number[] => Array.from(tinyRow(length, 0, seed).ids);

/** Prompts of 1 to 30 own tokens, asked for 0 to 12 new ones, of the base and two adapters, with up to three continuations. */
function mixed(count: number, prefix: readonly number[]): Question[] {
  return Array.from({ length: count }, (_, i) => ({
    ids: [...prefix, ...tokens(1 + ((i * 7) % 30), 100 + i)],
    adapter: [null, 0, 1][i % 3],
    maxNewTokens: (i * 5) % 13,
    scored: Array.from({ length: i % 4 }, (_unused, n) => tokens((i + 3 * n) % 6, 500 + 10 * i + n)),
  }));
}

async function oneByOne(questions: readonly Question[], options: QueueOptions): Promise<Answered[]> {
  const answers: Answered[] = [];
  for (const question of questions) answers.push(...(await answerer.answerAll([question], { ...options, rows: 1 })));
  return answers;
}

const answersOf = (list: readonly Answered[]): Answered["generated"][] => list.map(({ generated }) => generated);

describe("questions that take each other's places", () => {
  test.each([
    { name: "without a shared prefix, three at a time", prefix: 0, rows: 3 },
    { name: "after a shared prefix, five at a time", prefix: 40, rows: 5 },
    { name: "after a shared prefix, one at a time", prefix: 20, rows: 1 },
    { name: "all at once", prefix: 20, rows: 64 },
  ])("$name: tokens equal those of each alone, and the reference's", async ({ prefix, rows }) => {
    const questions = mixed(23, tokens(prefix, 7));
    const options = { adapters, rows, eosIds: [tokens(1, 3)[0]] };
    const answers = await answerer.answerAll(questions, options);
    expect(answersOf(answers)).toEqual(answersOf(await oneByOne(questions, options)));
    const { ids, adapter } = questions[7];
    const own = [...ids];
    for (const id of answers[7].generated.ids) {
      const last = model.logits(own, adapter === null ? undefined : updates[adapter]).at(-1)!;
      expect(id).toBe(last.indexOf(Math.max(...last)));
      own.push(id);
    }
    expect(answers[7].generated.ids.length).toBeGreaterThan(3);
  });

  test("prompts that begin alike, are very unlike in length, and of which one adapter has most: tokens equal those of each alone", async () => {
    const stems = [tokens(30, 41), tokens(7, 42), tokens(55, 43)];
    const questions = Array.from({ length: 26 }, (_, i): Question => {
      const stem = stems[i % 3].slice(0, 1 + ((i * 11) % 55));
      const own = i % 5 === 0 ? [] : tokens(1 + ((i * i) % 40), 200 + (i % 7));
      return { ids: [...tokens(20, 40), ...stem, ...own], adapter: i % 8 === 0 ? 1 : i % 4 === 0 ? 0 : null, maxNewTokens: 1 + ((i * 7) % 12), scored: i % 2 === 0 ? [tokens(4, 300 + i)] : [] };
    });
    const options = { adapters, rows: 7, eosIds: [] };
    const answers = await answerer.answerAll(questions, options);
    const alone = await oneByOne(questions, options);
    expect(answersOf(answers)).toEqual(answersOf(alone));
    const worst = Math.max(...answers.flatMap(({ continuations }, i) => continuations.map(({ logLikelihood }, n) => Math.abs(logLikelihood - alone[i].continuations[n].logLikelihood))));
    console.log(`queue: log-likelihoods of continuations ${worst.toExponential(1)} nats from those of each question alone`);
    expect(worst).toBeLessThan(logTolerance);
  });

  test("log-likelihoods of all their continuations are the log-softmax of full forward logits", async () => {
    const questions = mixed(23, tokens(24, 8));
    const answers = await answerer.answerAll(questions, { adapters, rows: 4, eosIds: [] });
    let worst = 0;
    questions.forEach(({ ids, adapter, scored = [] }, i) => {
      expect(answers[i].continuations.map((one) => one.tokens)).toEqual(scored.map(({ length }) => length));
      scored.forEach((continuation, n) => {
        const all = model.logits([...ids, ...continuation], adapter === null ? undefined : updates[adapter]);
        continuation.forEach((id, t) => {
          const expected = logSoftmax(all[ids.length - 1 + t])[id];
          worst = Math.max(worst, Math.abs(expected - answers[i].continuations[n].tokenLogLikelihoods[t]));
        });
      });
    });
    console.log(`queue: worst difference of a token's log-likelihood ${worst.toExponential(1)} nats from float64`);
    expect(worst).toBeLessThan(logTolerance);
  });

  test("a continuation that the model would write is greedy, also where another one was scored first", async () => {
    const [first] = await answerer.answerAll([{ ids: tokens(9, 20), adapter: 0, maxNewTokens: 5 }], { adapters, rows: 1, eosIds: [] });
    const other = [...first.generated.ids.slice(0, 4), (first.generated.ids[4] + 1) % 300];
    const [again] = await answerer.answerAll([{ ids: tokens(9, 20), adapter: 0, maxNewTokens: 5, scored: [other, first.generated.ids, other] }], { adapters, rows: 1, eosIds: [] });
    expect(again.continuations.map(({ isGreedy }) => isGreedy)).toEqual([false, true, false]);
    expect(again.generated).toEqual(first.generated);
  });

  test("a scored continuation that begins as the model's answer changes nothing of the answer, wherever the two part", async () => {
    const ids = tokens(9, 21);
    const [{ generated }] = await answerer.answerAll([{ ids, adapter: 1, maxNewTokens: 8 }], { adapters, rows: 1, eosIds: [] });
    for (let parting = 0; parting <= 8; parting++) {
      const scored = [[...generated.ids.slice(0, parting), (generated.ids[parting] ?? 0) + 1, 5, 6]];
      for (const maxNewTokens of [3, 8]) {
        const stops: number[] = [];
        const [again] = await answerer.answerAll([{ ids, adapter: 1, maxNewTokens, scored }], { adapters, rows: 1, eosIds: [], onToken: (_row, id) => (stops.push(id), false) });
        expect(again.generated, `parting at ${parting}`).toEqual({ ids: generated.ids.slice(0, maxNewTokens), stopped: "length" });
        expect(stops).toEqual(again.generated.ids);
      }
    }
  });

  test("are as many at once as their keys and values have room for", async () => {
    const { layers, kvHeads, headSize } = checkpoint.config;
    const fits = Math.floor(mostCacheBytes / (2 * layers * kvHeads * headSize * 4));
    const questions = mixed(9, []).map((question) => ({ ...question, maxNewTokens: Math.ceil(fits / 2) - 40 })); // two of them, not three
    const open = new Set<number>();
    let most = 0;
    const onToken = (row: number, _id: number, ids: readonly number[]): boolean => (open.add(row), (most = Math.max(most, open.size)), ids.length === 3);
    await answerer.answerAll(questions, { adapters, rows: 9, eosIds: [], onToken, onAnswer: (row) => void open.delete(row) });
    expect(most).toBe(2);
  });

  test("each is given out once, as soon as it ends", async () => {
    const questions = mixed(17, tokens(20, 9));
    const seen: number[] = [];
    const answers = await answerer.answerAll(questions, {
      adapters,
      rows: 4,
      eosIds: [],
      onAnswer(row, answered) {
        seen.push(row);
        expect(answered.generated.ids.length).toBe(questions[row].maxNewTokens);
      },
    });
    expect(seen.toSorted((a, b) => a - b)).toEqual(questions.map((_, i) => i));
    expect(seen).not.toEqual(questions.map((_, i) => i));
    expect(answers.every(({ generated }) => generated.stopped === "length")).toBe(true);
  });

  test("a listener's failure ends the rest, and a cancelled signal its reason", async () => {
    const questions = mixed(40, tokens(20, 10)).map((question) => ({ ...question, maxNewTokens: 12 }));
    let heard = 0;
    const failing = answerer.answerAll(questions, { adapters, rows: 2, eosIds: [], onAnswer: () => ((heard += 1), Promise.reject(new Error("the judge is gone"))) });
    await expect(failing).rejects.toThrow("the judge is gone");
    expect(heard).toBeLessThan(questions.length);
    const controller = new AbortController();
    const stopped = answerer.answerAll(questions, { adapters, rows: 2, eosIds: [], signal: controller.signal, onAnswer: () => controller.abort(new Error("asked to stop")) });
    await expect(stopped).rejects.toThrow("asked to stop");
  });
});
