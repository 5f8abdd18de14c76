// Many questions over a few slots: the shared prefix is computed once for all of them, continuations are scored in the
// runs that take in the prompts, and as rows end the next questions take their places.
// Prompts of like lengths are taken in together, long ones first, and those that begin alike side by side.

import type { ModelConfig } from "../checkpoint/types.ts";
import { commonLength } from "../data/common-prefix.ts";
import type { AdapterFeeds } from "./adapter-feeds.ts";
import { bytesAPlace, KeyValueCache } from "./cache.ts";
import { continuationOf, type Continuation, type ScoredToken } from "./continuation.ts";
import { chooseNext, decodeAll, freeSlot, type DecodingRow, type Foreseen, type Generated, type GenerateOptions } from "./decoding.ts";
import type { Forward, SlotRow, Wanted } from "./forward.ts";
import { computePrefix } from "./prefix.ts";

export interface Question {
  ids: readonly number[];
  adapter: number | null;
  /** Continuations whose log-likelihoods after the prompt are wanted; an empty one is none. */
  scored?: readonly (readonly number[])[];
  /** 0: nothing is generated. */
  maxNewTokens: number;
}

export interface Answered {
  generated: Generated;
  /** Of the question's `scored`. */
  continuations: Continuation[];
}

export interface QueueOptions extends Omit<GenerateOptions, "maxNewTokens"> {
  adapters?: AdapterFeeds;
  /** Questions that are answered at the same time; fewer where their keys and values might take more than `mostCacheBytes`. */
  rows: number;
  /** `row`: index of the question. What it returns is waited for at the end; its failure ends the rest. */
  onAnswer?(row: number, answered: Answered): void | Promise<void>;
}

interface Model {
  forward: Forward;
  config: ModelConfig;
  maxLength: number;
  none: AdapterFeeds;
}

/** New rows wait until this share of the slots is free: a run for a few tokens reads all weights as well. */
const freeShare = 1 / 4;
/** Of the rows' own keys and values, were all as long as they may get. */
export const mostCacheBytes = 2 ** 30;
/** Room for so many new tokens is made at once; longer answers make more. */
const expectedTokens = 48;

export async function answerQueue({ forward, config, maxLength, none }: Model, questions: readonly Question[], options: QueueOptions): Promise<Answered[]> {
  const { adapters = none, signal } = options;
  signal?.throwIfAborted();
  const answers: Answered[] = questions.map(() => ({ generated: { ids: [], stopped: "length" }, continuations: [] }));
  if (questions.length === 0) return answers;
  const prefix = await computePrefix(questions, forward, config, adapters);
  const { lanes } = prefix;
  const rows = Math.min(options.rows, questions.length, rowsThatFit(questions, prefix.length, config));
  const slots = Math.ceil(rows / lanes) * lanes;
  const queues = Array.from({ length: lanes }, (): number[] => []);
  for (const index of byBeginning(questions, prefix.length)) queues[prefix.laneOf(questions[index].adapter)].push(index);
  const cache = new KeyValueCache(config, slots);
  const listening = listenTo(options.onAnswer);

  async function admit(active: readonly DecodingRow[]): Promise<DecodingRow[]> {
    listening.throwIfFailed();
    const taken = new Set(active.map(({ slot }) => slot));
    const room = queues.map((queue, lane) => Math.min(queue.length, slots / lanes - active.filter(({ slot }) => slot % lanes === lane).length));
    const fits = sum(room);
    const isWorthIt = active.length === 0 || fits >= Math.min(sum(queues.map(({ length }) => length)), Math.ceil(slots * freeShare));
    if (fits === 0 || !isWorthIt) return [];
    const rows = queues.flatMap((queue, lane) =>
      queue.splice(0, room[lane]).map((index): SlotRow & { index: number } => {
        const slot = freeSlot(taken, lane, lanes);
        taken.add(slot);
        return { index, slot, adapter: questions[index].adapter, length: prefix.length };
      }),
    );
    const own = rows.map(({ index }) => {
      const { ids, scored = [], maxNewTokens } = questions[index];
      return ids.length - prefix.length + Math.max(Math.min(maxNewTokens, expectedTokens), ...scored.map(({ length }) => length));
    });
    cache.reserve(Math.max(...own));
    const { firsts, continuations } = await takeIn(rows);
    return rows.map(({ index, slot, adapter }, i) => {
      answers[index].continuations = continuations[i];
      const { ids, maxNewTokens } = questions[index];
      return { adapter, slot, length: ids.length, index, ids: [], maxNewTokens, ...firsts[i] };
    });
  }

  /** Brings the prompts of questions into their slots: each one's first new token, what is known behind it, and its continuations. */
  async function takeIn(taken: readonly (SlotRow & { index: number })[]): Promise<{ firsts: Pick<DecodingRow, "next" | "foreseen">[]; continuations: Continuation[][] }> {
    const asked = taken.map(({ index }) => questions[index]);
    const rest = asked.map(({ ids }) => ids.slice(prefix.length));
    const scored = asked.map(({ scored: lists = [] }) => distinct(lists));
    const after = (n: number): number[][] => scored.map((list) => (list[n] ?? []).slice(0, -1));
    const tokens: ScoredToken[][][] = scored.map((list) => list.map(() => []));
    const next: number[] = [];
    const foreseen: Foreseen[][] = taken.map(() => []);

    async function run(rows: readonly SlotRow[], news: readonly (readonly number[])[], places: readonly (Wanted & { n: number })[], isPrompt: boolean): Promise<void> {
      const found = await forward({ cache, prefix, rows, news, wanted: places, adapters, needsLogits: isPrompt && options.choose !== undefined, keeps: isPrompt });
      found.forEach((each, i) => {
        const { row, n, at, target } = places[i];
        if (target !== undefined) tokens[row][n].push({ best: each.best, logLikelihood: each.logLikelihood, target });
        if (isPrompt && at === rest[row].length - 1) next[row] = chooseNext({ index: taken[row].index, ids: [] }, each, options);
        if (isPrompt && at >= rest[row].length) foreseen[row].push({ token: news[row][at], found: each });
      });
    }

    // The first continuation follows the prompt in one run; the prompt's last token is where all of them begin.
    const ends = rest.flatMap((ids, row) => Array.from({ length: Math.max(1, scored[row].length) }, (_, n) => ({ row, n, at: ids.length - 1, target: scored[row][n]?.[0] })));
    const inside = (n: number, offset: (row: number) => number): (Wanted & { n: number })[] =>
      after(n).flatMap((ids, row) => ids.map((_, t) => ({ row, n, at: offset(row) + t, target: scored[row][n][t + 1] })));
    await run(taken, rest.map((ids, row) => [...ids, ...after(0)[row]]), [...ends, ...inside(0, (row) => rest[row].length)], true);
    const ready = taken.map((row, i) => ({ ...row, length: asked[i].ids.length }));
    const most = Math.max(...scored.map(({ length }) => length));
    for (let n = 1; n < most; n++) if (after(n).some((ids) => ids.length > 0)) await run(ready, after(n), inside(n, () => 0), false);

    const continuations = asked.map(({ scored: lists = [] }, row) =>
      lists.map((ids) => continuationOf(ids.length === 0 ? [] : tokens[row][scored[row].findIndex((other) => isSame(other, ids))])),
    );
    return { firsts: taken.map((_, row) => ({ next: next[row], foreseen: foreseen[row] })), continuations };
  }

  await decodeAll(
    {
      forward,
      cache,
      prefix,
      adapters,
      maxLength,
      options,
      admit,
      onEnd({ index, ids }, stopped) {
        answers[index].generated = { ids, stopped };
        listening.tell(index, answers[index]);
      },
    },
    [],
  );
  await listening.end();
  return answers;
}

/** How many of the longest of these rows a cache of `mostCacheBytes` holds. */
function rowsThatFit(questions: readonly Question[], shared: number, config: ModelConfig): number {
  const longest = Math.max(...questions.map(({ ids, scored = [], maxNewTokens }) => ids.length - shared + Math.max(maxNewTokens, ...scored.map(({ length }) => length))));
  return Math.max(1, Math.floor(mostCacheBytes / (longest * bytesAPlace(config))));
}

/**
 * Questions in the order in which they are taken in: of like own lengths, within a factor of two, together, the long ones
 * first; among those, by their tokens.
 */
function byBeginning(questions: readonly Question[], shared: number): number[] {
  const sizes = questions.map(({ ids }) => Math.floor(Math.log2(ids.length - shared)));
  return questions.map((_, index) => index).sort((a, b) => sizes[b] - sizes[a] || compareTokens(questions[a].ids, questions[b].ids) || a - b);
}

function compareTokens(a: readonly number[], b: readonly number[]): number {
  const at = commonLength(a, b);
  return (a[at] ?? -1) - (b[at] ?? -1);
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

/** Calls a listener that may take its time, and keeps its failures until they are asked for. */
function listenTo(onAnswer: QueueOptions["onAnswer"]) {
  const pending: Promise<void>[] = [];
  let failure: { error: unknown } | null = null;
  return {
    tell(row: number, answered: Answered): void {
      const heard = onAnswer?.(row, answered);
      if (!heard) return;
      heard.catch((error: unknown) => (failure ??= { error })); // thrown by throwIfFailed or end
      pending.push(heard);
    },
    throwIfFailed(): void {
      if (failure) throw failure.error;
    },
    async end(): Promise<void> {
      await Promise.all(pending);
    },
  };
}

/** Without empty and repeated ones. */
function distinct(lists: readonly (readonly number[])[]): (readonly number[])[] {
  return lists.filter((ids, i) => ids.length > 0 && lists.findIndex((other) => isSame(other, ids)) === i);
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((id, i) => id === b[i]);
}
