// Runs the answering program over slots of a cache: new tokens of several rows, in pieces that bound the memory of a run.
// In: rows that stand in neighbouring slots and their new tokens. Out: what is wanted at chosen tokens; the cache then
// holds the new tokens too.

import { masked, packRows } from "../programs/packed-rows.ts";
import { f32, i64, type Session, type TensorData } from "../runtime/session.ts";
import { weighTokens, type AdapterFeeds } from "./adapter-feeds.ts";
import type { KeyValueCache } from "./cache.ts";

/** A row in its slot. */
export interface SlotRow {
  /** Index into the adapters, or null for the base. */
  adapter: number | null;
  /** Tokens of the row that are in the cache. */
  length: number;
}

/** A new token at which outputs are wanted. */
export interface Wanted {
  row: number;
  /** Index into the row's new tokens. */
  at: number;
  /** The token that follows, whose log-likelihood is wanted. */
  target?: number;
}

export interface Found {
  /** The most likely next token. */
  best: number;
  /** ln p of the target; NaN where none was given. */
  logLikelihood: number;
  /** [V], where asked for. */
  logits: Float32Array | null;
}

export interface ForwardOptions {
  cache: KeyValueCache;
  /** Slot of the first row. */
  first: number;
  rows: readonly SlotRow[];
  news: readonly (readonly number[])[];
  wanted: readonly Wanted[];
  adapters: AdapterFeeds;
  needsLogits?: boolean;
  /** false: nobody will read the new tokens from the cache. Default true. */
  keeps?: boolean;
}

export type Forward = (options: ForwardOptions) => Promise<Found[]>;

/** Most tokens of a run: from here on the matrix kernels gain nothing more, and logits of so many are held at most. */
const tokensAtOnce = 256;

/** `rep`: query heads of each key/value head. Rows' lengths are the caller's to move on. */
export function forwardOver(session: Session, rep: number, vocabulary: number): Forward {
  return async ({ cache, first, rows, news, wanted, adapters, needsLogits = false, keeps = true }) => {
    const found: Found[] = [];
    const longest = Math.max(...news.map((ids) => ids.length));
    const piece = Math.max(1, Math.floor(tokensAtOnce / rows.length));
    cache.reserve(Math.max(...rows.map(({ length }, row) => length + news[row].length)));
    for (let from = 0; from < longest; from += piece) {
      const parts = news.map((ids) => ids.slice(from, from + piece));
      const starts = rows.map(({ length }, row) => length + Math.min(from, news[row].length));
      const packed = packRows(parts, { offsets: starts });
      const rowOfToken = parts.flatMap((ids, row) => ids.map(() => row));
      const here = wanted.map((want, i) => ({ ...want, i })).filter(({ at }) => at >= from && at < from + piece);
      const scored = here.flatMap(({ target }, place) => (target === undefined ? [] : [{ place, target }]));
      const isEmpty = starts.every((start) => start === 0);
      const places = isEmpty ? 0 : cache.places;
      const isLast = from + piece >= longest;
      const outputs = await session.run(
        {
          ...packed.feeds,
          ...cache.past(first, rows.length, isEmpty),
          ...adapters.feeds,
          "adapter.weights": weighTokens(packed.tokens, adapters, (token) => rows[rowOfToken[token]].adapter),
          mask: visibility(starts, parts, places, packed.longest, rep),
          parts: i64([places, packed.longest], 2),
          picked: i64(here.map(({ row, at }) => packed.starts[row] + at - from), here.length),
          scored: i64(scored.map(({ place }) => place), scored.length),
          targets: i64(scored.map(({ target }) => target), scored.length, 1),
        },
        { only: ["best", ...(scored.length > 0 ? ["logLikelihood"] : []), ...(needsLogits ? ["logits"] : []), ...(keeps || !isLast ? ["k", "v"] : [])] },
      );
      if (outputs.k) cache.write(first, starts, parts.map((ids) => ids.length), { k: outputs.k, v: outputs.v });
      here.forEach(({ i }, place) => {
        const logits = needsLogits ? (outputs.logits.data as Float32Array).subarray(place * vocabulary, (place + 1) * vocabulary) : null;
        found[i] = { best: Number(outputs.best.data[place]), logLikelihood: NaN, logits };
      });
      scored.forEach(({ place }, s) => (found[here[place].i].logLikelihood = outputs.logLikelihood.data[s] as number));
    }
    return found;
  };
}

/** Mask [B,1,rep·T,P+T]: a new token sees its row's places in the cache, and the new ones up to itself. */
export function visibility(starts: readonly number[], news: readonly (readonly number[])[], P: number, T: number, rep: number): TensorData {
  const B = starts.length;
  const S = P + T;
  const mask = new Float32Array(B * rep * T * S).fill(masked);
  for (let b = 0; b < B; b++) {
    for (let t = 0; t < T; t++) {
      const first = (b * rep * T + t) * S;
      mask.fill(0, first, first + Math.min(P, starts[b]));
      mask.fill(0, first + P, first + P + Math.min(t + 1, Math.max(1, news[b].length)));
      for (let r = 1; r < rep; r++) mask.copyWithin(first + r * T * S, first, first + S);
    }
  }
  return f32(mask, B, 1, rep * T, S);
}
