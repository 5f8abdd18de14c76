// Runs the answering program over slots of a cache: new tokens of several rows, in pieces that bound the memory of a run.
// In: rows in their slots and their new tokens. Out: what is wanted at chosen tokens; the cache then holds the new tokens
// too.

import type { ModelConfig } from "../checkpoint/types.ts";
import { i64, type Session } from "../runtime/session.ts";
import { weighTokens, type AdapterFeeds } from "./adapter-feeds.ts";
import { attentionFeeds, layOut, packTokens, sharedTokens, type Piece, type RunRow } from "./attention-feeds.ts";
import type { KeyValueCache } from "./cache.ts";
import type { Prefix } from "./prefix.ts";

/** A row in its slot. */
export interface SlotRow {
  /** Index into the adapters, or null for the base. */
  adapter: number | null;
  /** Slots are dealt out to the lanes of the prefix in turn; a row's is one of its lane. */
  slot: number;
  /** Tokens of the row so far, the prefix among them. */
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
  /** Of what rows have beside the prefix. */
  cache: KeyValueCache;
  prefix: Prefix;
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
/** Most places of a run's attention for each of those tokens: rows of unequal lengths are padded there. */
const placesAToken = 2;

/** Rows' lengths are the caller's to move on. */
export function forwardOver(session: Session, config: ModelConfig): Forward {
  return async ({ cache, prefix, rows, news, wanted, adapters, needsLogits = false, keeps = true }) => {
    const found: Found[] = [];
    const all = rows.map(({ adapter, slot, length }, row): RunRow => ({ adapter, slot, held: length - prefix.length, news: news[row] }));
    cache.reserve(Math.max(...all.map(({ held, news: { length } }) => held + length)));
    for (const members of groupsOf(all)) {
      const group = members.map((row) => all[row]);
      const longest = Math.max(...group.map(({ news: { length } }) => length));
      for (let from = 0; from < longest; from += tokensAtOnce) {
        const to = Math.min(longest, from + tokensAtOnce);
        const places = members.flatMap((row, member) => wanted.flatMap(({ at, target }, i) => (wanted[i].row === row && at >= from && at < to ? [{ member, at: at - from, target, i }] : [])));
        await run({ rows: group, from, to }, places, keeps || to < longest);
      }
    }
    return found;

    async function run(piece: Piece, places: readonly { member: number; at: number; target: number | undefined; i: number }[], isKept: boolean): Promise<void> {
      const packed = packTokens(piece);
      const layout = layOut(piece, prefix.lanes);
      const isEmpty = layout.firstSlot === null;
      const scored = places.flatMap(({ target }, place) => (target === undefined ? [] : [{ place, target }]));
      const outputs = await session.run(
        {
          ids: i64(packed.ids, packed.ids.length),
          positions: i64(packed.offsets.map((offset) => prefix.length + offset), packed.ids.length, 1),
          ...attentionFeeds(piece, packed, layout, { prefix, cached: isEmpty ? 0 : cache.places }, config),
          ...prefix.feeds(layout.firstLane, layout.lanes),
          ...cache.feeds("past", layout.firstSlot ?? 0, [layout.depth, layout.lanes], isEmpty),
          ...adapters.feeds,
          ...weighTokens(packed.adapters, adapters),
          picked: i64(places.map(({ member, at }) => packed.ofRow[member][at]), places.length),
          scored: i64(scored.map(({ place }) => place), scored.length),
          targets: i64(scored.map(({ target }) => target), scored.length, 1),
        },
        { only: ["best", ...(scored.length > 0 ? ["logLikelihood"] : []), ...(needsLogits ? ["logits"] : []), ...(isKept ? ["k", "v"] : [])] },
      );
      if (isKept) {
        const written = piece.rows.map(({ slot, held }, member) => ({ place: layout.places[member], slot, start: held + piece.from, count: packed.ofRow[member].length }));
        cache.write(written, { k: outputs.k, v: outputs.v });
      }
      const V = config.vocabulary;
      places.forEach(({ i }, place) => {
        const logits = needsLogits ? (outputs.logits.data as Float32Array).subarray(place * V, (place + 1) * V) : null;
        found[i] = { best: Number(outputs.best.data[place]), logLikelihood: NaN, logits };
      });
      scored.forEach(({ place }, s) => (found[places[place].i].logLikelihood = outputs.logLikelihood.data[s] as number));
    }
  };
}

/** Rows that are computed together, in their order: as many as the bounds of a run allow, or one that is longer. */
function groupsOf(rows: readonly RunRow[]): number[][] {
  const groups: number[][] = [];
  let [tokens, longest] = [0, 0];
  rows.forEach((row, at) => {
    if (row.news.length === 0) return;
    const group = groups.at(-1) ?? [];
    const before = group.findLast((other) => rows[other].adapter === row.adapter);
    const added = row.news.length - (before === undefined ? 0 : sharedTokens(rows[before], row));
    const widest = Math.max(longest, row.news.length);
    const fits = tokens + added <= Math.max(tokensAtOnce, longest) && (group.length + 1) * widest <= Math.max(placesAToken * tokensAtOnce, widest * 2);
    if (group.length > 0 && fits) {
      group.push(at);
      [tokens, longest] = [tokens + added, widest];
    } else {
      groups.push([at]);
      [tokens, longest] = [row.news.length, row.news.length];
    }
  });
  return groups;
}
