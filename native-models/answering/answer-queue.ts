// Many questions over a few slots: the shared prefix is computed once for all of them, continuations are scored in the
// runs that take in the prompts, and as rows end the next questions take their places.
// Long prompts go first, so that those taken in together are of one length and the last rows end soon.

import type { ModelConfig } from "../checkpoint/types.ts";
import type { AdapterFeeds } from "./adapter-feeds.ts";
import { KeyValueCache } from "./cache.ts";
import { continuationOf, type Continuation, type ScoredToken } from "./continuation.ts";
import { chooseNext, decodeAll, type DecodingRow, type Generated, type GenerateOptions } from "./decoding.ts";
import type { Forward, SlotRow, Wanted } from "./forward.ts";
import { shareablePrefix } from "./prefix.ts";

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
  /** Questions that are answered at the same time. */
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
/** Room for so many new tokens is made at once; longer answers make more. */
const expectedTokens = 48;

export async function answerQueue({ forward, config, maxLength, none }: Model, questions: readonly Question[], options: QueueOptions): Promise<Answered[]> {
  const { adapters = none, signal } = options;
  signal?.throwIfAborted();
  const answers: Answered[] = questions.map(() => ({ generated: { ids: [], stopped: "length" }, continuations: [] }));
  if (questions.length === 0) return answers;
  const slots = Math.min(options.rows, questions.length);
  const queue = questions.map((_, index) => index).sort((a, b) => questions[b].ids.length - questions[a].ids.length || a - b);
  const prefix = shareablePrefix(questions);
  const seeds = prefix.length > 0 ? await prefix.compute(forward, config, adapters) : null;
  const cache = new KeyValueCache(config, slots);
  /** Whose prefix each slot holds; none yet: undefined. A row writes behind it only. */
  const prefixOf: (number | null | undefined)[] = Array.from({ length: slots });
  const listening = listenTo(options.onAnswer);

  async function admit(active: readonly DecodingRow[]): Promise<DecodingRow[]> {
    listening.throwIfFailed();
    const free = slots - active.length;
    const isWorthIt = active.length === 0 || free >= Math.min(queue.length, Math.ceil(slots * freeShare));
    if (queue.length === 0 || !isWorthIt) return [];
    const indices = queue.splice(0, free);
    const taken = indices.map((index) => questions[index]);
    const longest = Math.max(...taken.map(({ ids, scored = [], maxNewTokens }) => ids.length + Math.max(Math.min(maxNewTokens, expectedTokens), ...scored.map(({ length }) => length))));
    cache.reserve(longest);
    if (seeds) taken.forEach(({ adapter }, i) => bringPrefix(active.length + i, adapter));
    const { next, continuations } = await takeIn(active.length, indices);
    return taken.map(({ adapter, ids, maxNewTokens }, i) => {
      answers[indices[i]].continuations = continuations[i];
      return { adapter, length: ids.length, index: indices[i], ids: [], next: next[i], maxNewTokens };
    });
  }

  /** Brings the prompts of questions into the slots from `first` on: each one's first new token, and its continuations. */
  async function takeIn(first: number, indices: readonly number[]): Promise<{ next: number[]; continuations: Continuation[][] }> {
    const taken = indices.map((index) => questions[index]);
    const rest = taken.map(({ ids }) => ids.slice(prefix.length));
    const scored = taken.map(({ scored = [] }) => distinct(scored));
    const after = (n: number): number[][] => scored.map((list) => (list[n] ?? []).slice(0, -1));
    const tokens: ScoredToken[][][] = scored.map((list) => list.map(() => []));
    const next: number[] = [];

    async function run(rows: readonly SlotRow[], news: readonly (readonly number[])[], places: readonly (Wanted & { n: number })[], isPrompt: boolean): Promise<void> {
      const found = await forward({ cache, first, rows, news, wanted: places, adapters, needsLogits: isPrompt && options.choose !== undefined, keeps: isPrompt });
      found.forEach((each, i) => {
        const { row, n, at, target } = places[i];
        if (target !== undefined) tokens[row][n].push({ best: each.best, logLikelihood: each.logLikelihood, target });
        if (isPrompt && at === rest[row].length - 1) next[row] = chooseNext({ index: indices[row], ids: [] }, each, options);
      });
    }

    // The first continuation follows the prompt in one run; the prompt's last token is where all of them begin.
    const ends = rest.flatMap((ids, row) => Array.from({ length: Math.max(1, scored[row].length) }, (_, n) => ({ row, n, at: ids.length - 1, target: scored[row][n]?.[0] })));
    const inside = (n: number, offset: (row: number) => number): (Wanted & { n: number })[] =>
      after(n).flatMap((ids, row) => ids.map((_, t) => ({ row, n, at: offset(row) + t, target: scored[row][n][t + 1] })));
    const started = taken.map(({ adapter }) => ({ adapter, length: prefix.length }));
    await run(started, rest.map((ids, row) => [...ids, ...after(0)[row]]), [...ends, ...inside(0, (row) => rest[row].length)], true);
    const ready = taken.map(({ adapter, ids }) => ({ adapter, length: ids.length }));
    const most = Math.max(...scored.map(({ length }) => length));
    for (let n = 1; n < most; n++) if (after(n).some((ids) => ids.length > 0)) await run(ready, after(n), inside(n, () => 0), false);

    const continuations = taken.map(({ scored: asked = [] }, row) =>
      asked.map((ids) => continuationOf(ids.length === 0 ? [] : tokens[row][scored[row].findIndex((other) => isSame(other, ids))])),
    );
    return { next, continuations };
  }

  function bringPrefix(slot: number, adapter: number | null): void {
    if (!seeds || prefixOf[slot] === adapter) return;
    cache.copy(seeds.cache, seeds.slotOf(adapter), slot, 0, prefix.length);
    prefixOf[slot] = adapter;
  }

  await decodeAll(
    {
      forward,
      cache,
      adapters,
      maxLength,
      options,
      admit,
      onEnd({ index, ids }, stopped) {
        answers[index].generated = { ids, stopped };
        listening.tell(index, answers[index]);
      },
      move(from, to, { adapter, length }) {
        bringPrefix(to, adapter);
        cache.copy(cache, from, to, prefix.length, length);
      },
    },
    [],
  );
  await listening.end();
  return answers;
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
