// Answers from a model: rows over one key/value cache, each as base or with one of the loaded adapters.
// In: token ids of prompts. Out: generated ids, or log-likelihoods of given continuations.
// A prefix that all questions share (few-shot examples) is computed and kept once for the base and once for each adapter.

import { setImmediate as yieldToMessages } from "node:timers/promises";
import type { Checkpoint } from "../checkpoint/types.ts";
import { buildAnswerProgram } from "../programs/answer-program.ts";
import type { QuantisedModel } from "../quantised/quantised-model.ts";
import { openSession, type SessionOptions } from "../runtime/session.ts";
import { adapterFeeds, type AdapterFeeds } from "./adapter-feeds.ts";
import { answerQueue, type Answered, type Question, type QueueOptions } from "./answer-queue.ts";
import { KeyValueCache } from "./cache.ts";
import { continuationOf, logSumExp, type Continuation } from "./continuation.ts";
import { chooseNext, decodeAll, type DecodingRow, type Generated, type GenerateOptions } from "./decoding.ts";
import { forwardOver, type SlotRow } from "./forward.ts";
import { resumeRows, type HeldRows } from "./held-rows.ts";
import { noPrefix } from "./prefix.ts";

export type { Continuation } from "./continuation.ts";
export type { Answered, Question, QueueOptions } from "./answer-queue.ts";
export type { HeldRows } from "./held-rows.ts";
export type { Generated, GenerateOptions } from "./decoding.ts";

export interface AnswererOptions {
  checkpoint: Checkpoint;
  /** Longest row, prompt and answer together. */
  maxLength: number;
  /** Weights in blocks of integers in place of the checkpoint's own. */
  quantised?: QuantisedModel | null;
  session?: Omit<SessionOptions, "weightsFolder">;
}

/** Tokens to continue, and with which of the adapters of `begin` (null: the base). */
export interface Row {
  ids: readonly number[];
  adapter: number | null;
}

export interface Answerer {
  readonly checkpoint: Checkpoint;
  readonly maxLength: number;
  /**
   * Takes in the rows once; generate and score then work on from there. Rows are computed together; what they have in common
   * with `held` ones is not computed again.
   */
  begin(rows: readonly Row[], options?: { adapters?: AdapterFeeds; held?: HeldRows | null; signal?: AbortSignal }): Promise<Begun>;
  /**
   * Answers any number of questions, `rows` of them at a time: as one ends the next takes its place. Each is given to
   * `onAnswer` when it is done; the order is not that of the questions.
   */
  answerAll(questions: readonly Question[], options: QueueOptions): Promise<Answered[]>;
  release(): Promise<void>;
}

export interface Begun {
  /** Log-likelihoods of continuations, one a row; the rows stay as they were. */
  score(continuations: readonly (readonly number[])[]): Promise<Continuation[]>;
  /** Generates from all rows to their ends; the rows stay as they were. */
  generate(options: GenerateOptions): Promise<Generated[]>;
  /** The rows with what was last generated from them, also where that was cut short. */
  held(): HeldRows;
}

/**
 * A decoding step is some 500 short products: waiting for the next one by spinning this long makes it a fifth faster, and,
 * unlike longer spinning, costs nothing beside other work.
 */
const shortSpin = { microseconds: 10 };

/** One session answers for the base and for any adapters: those are fed with each run, so a new one needs no new session. */
export async function createAnswerer({ checkpoint, maxLength, quantised = null, session: sessionOptions }: AnswererOptions): Promise<Answerer> {
  const { config } = checkpoint;
  const program = buildAnswerProgram(checkpoint, { maxLength, hasAdapters: true, quantised });
  const session = await openSession(program, { prepack: true, spins: shortSpin, ...sessionOptions, weightsFolder: quantised?.folder ?? checkpoint.weights.folder });
  const none = adapterFeeds(config, []);
  const forward = forwardOver(session, config);
  const prefix = noPrefix(config);

  return {
    checkpoint,
    maxLength,
    async begin(rows, { adapters = none, held = null, signal } = {}) {
      signal?.throwIfAborted();
      const cache = new KeyValueCache(config, rows.length);
      const resumed = held === null ? rows.map(() => 0) : resumeRows(rows, held, cache);
      const started: SlotRow[] = rows.map(({ adapter }, slot) => ({ adapter, slot, length: resumed[slot] }));
      const news = rows.map(({ ids }, row) => ids.slice(resumed[row]));
      const last = news.map((ids, row) => ({ row, at: ids.length - 1 }));
      const first = await forward({ cache, prefix, rows: started, news, wanted: last, adapters, needsLogits: true });
      started.forEach((row, i) => (row.length += news[i].length));
      /** Tokens behind each row that the cache holds too. */
      const further: number[][] = rows.map(() => []);
      await yieldToMessages();

      return {
        async score(continuations) {
          // Token t of a continuation predicts token t+1; the last one predicts nothing.
          further.forEach((ids) => (ids.length = 0)); // a long continuation is written over them
          const news = continuations.map((ids) => ids.slice(0, -1));
          const wanted = news.flatMap((ids, row) => ids.map((_, at) => ({ row, at, target: continuations[row][at + 1] })));
          const found = wanted.length === 0 ? [] : await forward({ cache, prefix, rows: started, news, wanted, adapters, keeps: false });
          await yieldToMessages();
          return continuations.map((ids, row): Continuation => {
            if (ids.length === 0) return continuationOf([]);
            const logits = first[row].logits as Float32Array;
            const later = found.flatMap(({ best, logLikelihood }, i) => (wanted[i].row === row ? [{ best, logLikelihood, target: wanted[i].target }] : []));
            return continuationOf([{ best: first[row].best, logLikelihood: logits[ids[0]] - logSumExp(logits), target: ids[0] }, ...later]);
          });
        },
        async generate(options) {
          const own = new KeyValueCache(config, rows.length, cache.places);
          const results: Generated[] = rows.map(() => ({ ids: [], stopped: "length" }));
          const decoding = started.map((row, index) => {
            own.copy(cache, index, index, row.length);
            return { ...row, index, ids: [], next: chooseNext({ index, ids: [] }, first[index], options), maxNewTokens: options.maxNewTokens, foreseen: [] };
          });
          const hold = ({ index, slot, ids, length }: DecodingRow): void => {
            cache.reserve(length);
            cache.copy(own, slot, index, length);
            further[index] = ids.slice(0, length - started[index].length);
          };
          const onEnd = (row: DecodingRow, stopped: Generated["stopped"]): void => {
            hold(row);
            results[row.index] = { ids: row.ids, stopped };
            options.onEnd?.(row.index, stopped);
          };
          try {
            await decodeAll({ forward, cache: own, prefix, adapters, maxLength, options, onEnd }, decoding);
          } finally {
            decoding.forEach(hold); // none, unless it was cut short
          }
          return results;
        },
        held: () => ({ cache, rows: rows.map(({ ids, adapter }, row) => ({ ids: [...ids, ...further[row]], adapter })) }),
      };
    },
    answerAll: (questions, options) => answerQueue({ forward, config, maxLength, none }, questions, options),
    release: () => session.release(),
  };
}
