// Answers from a model: batches of rows over one key/value cache, each row as base or with one of the loaded adapters.
// In: token ids of prompts. Out: generated ids, or log-likelihoods of given continuations.
// A prefix that all prompts share (few-shot examples) is computed once for the base and once for each adapter.

import { setImmediate as yieldToMessages } from "node:timers/promises";
import type { Checkpoint } from "../checkpoint/types.ts";
import { buildAnswerProgram } from "../programs/answer-program.ts";
import { masked, packRows } from "../programs/packed-rows.ts";
import { f32, i64, openSession, type SessionOptions, type TensorData } from "../runtime/session.ts";
import { adapterFeeds, weighTokens, type AdapterFeeds } from "./adapter-feeds.ts";
import { cacheNames, emptyCache, pastFeeds, pickRows, type Cache } from "./cache.ts";
import { indexOfLargest } from "./sampling.ts";

export interface AnswererOptions {
  checkpoint: Checkpoint;
  /** Longest row, prompt and answer together. */
  maxLength: number;
  session?: Omit<SessionOptions, "weightsFolder">;
}

/** Tokens to continue, and with which of the adapters of `begin` (null: the base). */
export interface Row {
  ids: readonly number[];
  adapter: number | null;
}

/** Places in a batch's cache: what each row may see. */
interface Batch {
  adapters: AdapterFeeds;
  cache: Cache;
  rows: BatchRow[];
}

interface BatchRow {
  adapter: number | null;
  /** Tokens of the row that are in the cache. */
  length: number;
  /** 1 where a place of the cache holds a token of this row. */
  isHeld: number[];
}

export interface Continuation {
  /** Σ ln p of the continuation's tokens. */
  logLikelihood: number;
  /** ln p of each token, in order. */
  tokenLogLikelihoods: number[];
  tokens: number;
  /** Every token is the most likely one. */
  isGreedy: boolean;
}

export interface GenerateOptions {
  maxNewTokens: number;
  eosIds: readonly number[];
  /** Chooses from logits [V]; absent: the most likely token, without moving logits out of the runtime. */
  choose?: (row: number, logits: Float32Array, ids: readonly number[]) => number;
  /** Sees each new token; true ends the row. */
  onToken?: (row: number, id: number, ids: readonly number[]) => boolean;
  signal?: AbortSignal;
}

export interface Generated {
  /** New tokens, without the end-of-text token. */
  ids: number[];
  stopped: "eos" | "stop" | "length";
}

export interface Answerer {
  readonly checkpoint: Checkpoint;
  readonly maxLength: number;
  /** Takes in the rows once; generate and score then work on from there. Rows are computed together. */
  begin(rows: readonly Row[], options?: { adapters?: AdapterFeeds; signal?: AbortSignal }): Promise<Begun>;
  release(): Promise<void>;
}

export interface Begun {
  /** Log-likelihoods of continuations, one a row; the rows stay as they were. */
  score(continuations: readonly (readonly number[])[]): Promise<Continuation[]>;
  /** Generates from all rows to their ends. */
  generate(options: GenerateOptions): Promise<Generated[]>;
}

/** Most positions whose logits are held at once in scoring. */
const positionsAtOnce = 256;

/** One session answers for the base and for any adapters: those are fed with each run, so a new one needs no new session. */
export async function createAnswerer({ checkpoint, maxLength, session: sessionOptions }: AnswererOptions): Promise<Answerer> {
  const { config } = checkpoint;
  const program = buildAnswerProgram(checkpoint, { maxLength, hasAdapters: true });
  const session = await openSession(program, { ...sessionOptions, weightsFolder: checkpoint.folder });
  const none = adapterFeeds(config, []);
  const cached = cacheNames(config);
  const rep = config.heads / config.kvHeads;

  /** Runs new tokens of each row; `wanted` are packed places whose outputs are asked for. */
  async function advance(batch: Batch, news: readonly (readonly number[])[], wanted: "last" | { places: number[]; targets: number[] }, only: readonly string[]) {
    const packed = packRows(news, { offsets: batch.rows.map(({ length }) => length) });
    const rowOfToken = news.flatMap((ids, row) => ids.map(() => row));
    const places = wanted === "last" ? news.map((ids, row) => packed.starts[row] + ids.length - 1) : wanted.places;
    const targets = wanted === "last" ? places.map(() => 0) : wanted.targets;
    return session.run(
      {
        ...packed.feeds,
        ...pastFeeds(batch.cache),
        ...batch.adapters.feeds,
        "adapter.weights": weighTokens(packed.tokens, batch.adapters, (token) => batch.rows[rowOfToken[token]].adapter),
        mask: visibility(batch, news, packed.longest, rep),
        picked: i64(places, places.length),
        targets: i64(targets, targets.length),
      },
      { only },
    );
  }

  /** The batch after `news`: its cache grew by the longest of them. */
  function grown(batch: Batch, news: readonly (readonly number[])[], outputs: Record<string, TensorData>): Batch {
    const longest = Math.max(...news.map((ids) => ids.length));
    const tensors = Object.fromEntries(cached.map((name) => [name, outputs[name]]));
    return {
      adapters: batch.adapters,
      cache: { rows: batch.rows.length, places: batch.cache.places + longest, tensors },
      rows: batch.rows.map((row, i) => ({
        ...row,
        length: row.length + news[i].length,
        isHeld: [...row.isHeld, ...Array.from({ length: longest }, (_, t) => (t < news[i].length ? 1 : 0))],
      })),
    };
  }

  /** The prefix of all rows, in a cache row for each adapter in use. */
  async function beginWithPrefix(rows: readonly Row[], adapters: AdapterFeeds): Promise<{ batch: Batch; rest: number[][] }> {
    const shared = rows.length > 1 ? commonPrefix(rows.map(({ ids }) => ids)) : 0;
    const inUse = [...new Set(rows.map(({ adapter }) => adapter))];
    const start = (list: readonly (number | null)[]): Batch => ({
      adapters,
      cache: emptyCache(config, list.length),
      rows: list.map((adapter) => ({ adapter, length: 0, isHeld: [] })),
    });
    const rest = rows.map(({ ids }) => ids.slice(shared));
    // A short prefix is cheaper computed for every row than copied to it.
    if (shared < 16 || inUse.length === rows.length) return { batch: start(rows.map(({ adapter }) => adapter)), rest: rows.map(({ ids }) => [...ids]) };
    const prefix = rows[0].ids.slice(0, shared);
    const seeds = start(inUse);
    const news = inUse.map(() => prefix);
    const grownSeeds = grown(seeds, news, await advance(seeds, news, "last", cached));
    const cache = pickRows(rows.map(({ adapter }) => ({ cache: grownSeeds.cache, row: inUse.indexOf(adapter) })));
    return { batch: { adapters, cache, rows: rows.map(({ adapter }) => ({ ...grownSeeds.rows[0], adapter })) }, rest };
  }

  async function score(batch: Batch, firstLogLikelihood: (row: number, id: number) => { value: number; best: number }, continuations: readonly (readonly number[])[]): Promise<Continuation[]> {
    const results = continuations.map((ids, row) => {
      const { value, best } = firstLogLikelihood(row, ids[0]);
      return { tokenLogLikelihoods: [value], tokens: ids.length, isGreedy: best === ids[0] };
    });
    // Token t of a continuation predicts token t+1; the last one predicts nothing.
    const news = continuations.map((ids) => ids.slice(0, -1));
    for (const rows of chunksOf(news, positionsAtOnce)) {
      let chunk = pickBatch(batch, rows);
      const longest = Math.max(...rows.map((row) => news[row].length));
      // More than one piece only where a row alone has more positions than are computed at once.
      for (let from = 0; from < longest; from += positionsAtOnce) {
        const parts = rows.map((row) => news[row].slice(from, from + positionsAtOnce));
        const order = rows.flatMap((row, i) => parts[i].map((_, t) => ({ row, target: continuations[row][from + t + 1] })));
        const places = { places: order.map((_, i) => i), targets: order.map(({ target }) => target) };
        const isLast = from + positionsAtOnce >= longest;
        const outputs = await advance(chunk, parts, places, ["logLikelihood", "best", ...(isLast ? [] : cached)]);
        if (!isLast) chunk = grown(chunk, parts, outputs);
        order.forEach(({ row, target }, i) => {
          results[row].tokenLogLikelihoods.push(outputs.logLikelihood.data[i] as number);
          results[row].isGreedy &&= Number(outputs.best.data[i]) === target;
        });
        await yieldToMessages();
      }
    }
    return results.map((result) => ({ logLikelihood: result.tokenLogLikelihoods.reduce((sum, value) => sum + value, 0), ...result }));
  }

  async function generate(start: Batch, firstLogits: Float32Array, options: GenerateOptions): Promise<Generated[]> {
    const { maxNewTokens, eosIds, choose, onToken, signal } = options;
    const results: Generated[] = start.rows.map(() => ({ ids: [], stopped: "length" }));
    const V = config.vocabulary;
    let batch = start;
    let active = start.rows.map((_, row) => row); // batch row → result row
    let chosen = active.map((row) => {
      const logits = firstLogits.subarray(row * V, (row + 1) * V);
      return choose ? choose(row, logits, []) : indexOfLargest(logits);
    });
    for (;;) {
      const next: { at: number; id: number }[] = [];
      active.forEach((row, at) => {
        const id = chosen[at];
        const result = results[row];
        if (eosIds.includes(id)) {
          result.stopped = "eos";
          return;
        }
        result.ids.push(id);
        if (onToken?.(row, id, result.ids)) result.stopped = "stop";
        else if (result.ids.length < maxNewTokens && batch.rows[at].length + 1 < maxLength) next.push({ at, id });
      });
      if (next.length === 0) return results;
      signal?.throwIfAborted();
      if (next.length < active.length) {
        batch = pickBatch(batch, next.map(({ at }) => at));
        active = next.map(({ at }) => active[at]);
      }
      const news = next.map(({ id }) => [id]);
      const outputs = await advance(batch, news, "last", [...cached, choose ? "logits" : "best"]);
      batch = grown(batch, news, outputs);
      chosen = active.map((row, at) =>
        choose ? choose(row, (outputs.logits.data as Float32Array).subarray(at * V, (at + 1) * V), results[row].ids) : Number(outputs.best.data[at]),
      );
      await yieldToMessages();
    }
  }

  return {
    checkpoint,
    maxLength,
    async begin(rows, { adapters = none, signal } = {}) {
      signal?.throwIfAborted();
      const { batch, rest } = await beginWithPrefix(rows, adapters);
      const outputs = await advance(batch, rest, "last", [...cached, "logits"]);
      const ready = grown(batch, rest, outputs);
      const logits = outputs.logits.data as Float32Array;
      await yieldToMessages();
      const first = (row: number, id: number): { value: number; best: number } => {
        const own = logits.subarray(row * config.vocabulary, (row + 1) * config.vocabulary);
        return { value: own[id] - logSumExp(own), best: indexOfLargest(own) };
      };
      return {
        score: (continuations) => score(ready, first, continuations),
        generate: (options) => generate(ready, logits, options),
      };
    },
    release: () => session.release(),
  };
}

/** Chosen rows of a batch, in the order given. */
function pickBatch({ adapters, cache, rows }: Batch, chosen: readonly number[]): Batch {
  return { adapters, cache: pickRows(chosen.map((row) => ({ cache, row }))), rows: chosen.map((row) => rows[row]) };
}

/** Mask [B,1,rep·T,P+T]: a new token sees its row's tokens in the cache, and the new ones up to itself. */
function visibility(batch: Batch, news: readonly (readonly number[])[], longest: number, rep: number): TensorData {
  const B = batch.rows.length;
  const P = batch.cache.places;
  const S = P + longest;
  const mask = new Float32Array(B * rep * longest * S).fill(masked);
  for (let b = 0; b < B; b++) {
    for (let t = 0; t < longest; t++) {
      const first = (b * rep * longest + t) * S;
      for (let s = 0; s < P; s++) if (batch.rows[b].isHeld[s]) mask[first + s] = 0;
      mask.fill(0, first + P, first + P + Math.min(t + 1, Math.max(1, news[b].length)));
      for (let r = 1; r < rep; r++) mask.copyWithin(first + r * longest * S, first, first + S);
    }
  }
  return f32(mask, B, 1, rep * longest, S);
}

/** Tokens that all prompts begin with; every prompt keeps at least one of its own. */
function commonPrefix(prompts: readonly (readonly number[])[]): number {
  const shortest = Math.min(...prompts.map((ids) => ids.length));
  let shared = 0;
  while (shared < shortest - 1 && prompts.every((ids) => ids[shared] === prompts[0][shared])) shared += 1;
  return shared;
}

/** Row numbers in groups of at most `size` tokens together; rows without tokens are left out. */
function chunksOf(rows: readonly (readonly number[])[], size: number): number[][] {
  const chunks: number[][] = [];
  let tokens = Infinity;
  rows.forEach((ids, row) => {
    if (ids.length === 0) return;
    if (tokens + ids.length > size) {
      chunks.push([]);
      tokens = 0;
    }
    chunks[chunks.length - 1].push(row);
    tokens += ids.length;
  });
  return chunks;
}

function logSumExp(values: Float32Array): number {
  const peak = values[indexOfLargest(values)];
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += Math.exp(values[i] - peak);
  return peak + Math.log(sum);
}
