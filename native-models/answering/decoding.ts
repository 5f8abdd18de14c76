// The decoding loop: all rows get one token a step; as rows end, new ones may take the slots that are free (continuous
// batching, Orca, OSDI 2022), and what then stands behind free slots moves up, so that a step looks at few.
// In: rows whose next token is chosen. Out: each row's tokens, as soon as it ends.

import { setImmediate as yieldToMessages } from "node:timers/promises";
import type { AdapterFeeds } from "./adapter-feeds.ts";
import type { KeyValueCache } from "./cache.ts";
import type { Forward, Found, SlotRow } from "./forward.ts";
import type { Prefix } from "./prefix.ts";

export interface GenerateOptions {
  maxNewTokens: number;
  eosIds: readonly number[];
  /** Chooses from logits [V]; absent: the most likely token, without moving logits out of the runtime. */
  choose?: (row: number, logits: Float32Array, ids: readonly number[]) => number;
  /** Sees each new token; true ends the row. */
  onToken?: (row: number, id: number, ids: readonly number[]) => boolean;
  /** A row has ended; the others may go on. */
  onEnd?: (row: number, stopped: Generated["stopped"]) => void;
  signal?: AbortSignal;
}

export interface Generated {
  /** New tokens, without the end-of-text token. */
  ids: number[];
  stopped: "eos" | "stop" | "length";
}

/** A row that is being answered. */
export interface DecodingRow extends SlotRow {
  /** The caller's number of the row. */
  index: number;
  /** New tokens so far. */
  ids: number[];
  /** The next one, chosen and not yet looked at. */
  next: number;
  maxNewTokens: number;
  /** Tokens that may follow, which the cache holds already: a row that chooses one goes on without being computed. */
  foreseen: readonly Foreseen[];
}

export interface Foreseen {
  token: number;
  /** What follows it. */
  found: Found;
}

export interface Decoding {
  forward: Forward;
  cache: KeyValueCache;
  prefix: Prefix;
  adapters: AdapterFeeds;
  /** Longest row, prompt and answer together. */
  maxLength: number;
  options: Omit<GenerateOptions, "maxNewTokens">;
  onEnd(row: DecodingRow, stopped: Generated["stopped"]): void;
  /** Rows to add to `rows`, already in free slots; none when there is nothing to add yet, or anymore. */
  admit?(rows: readonly DecodingRow[]): Promise<DecodingRow[]>;
}

/** Decodes to the end of every row. */
export async function decodeAll(decoding: Decoding, rows: DecodingRow[]): Promise<void> {
  const { forward, cache, prefix, adapters, options, admit } = decoding;
  let fresh: readonly DecodingRow[] = [...rows];
  for (;;) {
    for (const row of fresh) {
      const stopped = settle(row, decoding);
      if (stopped === null) continue;
      rows.splice(rows.indexOf(row), 1);
      decoding.onEnd(row, stopped);
    }
    options.signal?.throwIfAborted();
    const added = (await admit?.(rows)) ?? [];
    if (added.length > 0) {
      rows.push(...added);
      fresh = added;
      continue;
    }
    if (rows.length === 0) return;
    moveUp(rows, decoding);
    const found = await forward({
      cache,
      prefix,
      rows,
      news: rows.map(({ next }) => [next]),
      wanted: rows.map((_, row) => ({ row, at: 0 })),
      adapters,
      needsLogits: options.choose !== undefined,
    });
    rows.forEach((row, i) => {
      row.length += 1;
      row.foreseen = [];
      row.next = chooseNext(row, found[i], options);
    });
    fresh = [...rows];
    await yieldToMessages();
  }
}

/** Rows deeper in their lanes than the fullest lane must be take the free slots above them. */
function moveUp(rows: readonly DecodingRow[], { cache, prefix: { lanes, length } }: Decoding): void {
  const ofLane = Map.groupBy(rows, ({ slot }) => slot % lanes);
  const depth = Math.max(...[...ofLane.values()].map((own) => own.length));
  for (const [lane, own] of ofLane) {
    const taken = new Set(own.map(({ slot }) => slot));
    for (const row of own.filter(({ slot }) => slot >= depth * lanes)) {
      const to = freeSlot(taken, lane, lanes);
      cache.copy(cache, row.slot, to, row.length - length);
      taken.add(to);
      row.slot = to;
    }
  }
}

/** The first slot of a lane that is not taken. */
export function freeSlot(taken: ReadonlySet<number>, lane: number, lanes: number): number {
  let slot = lane;
  while (taken.has(slot)) slot += lanes;
  return slot;
}

export function chooseNext({ index, ids }: Pick<DecodingRow, "index" | "ids">, { best, logits }: Found, { choose }: Pick<GenerateOptions, "choose">): number {
  return choose && logits ? choose(index, logits, ids) : best;
}

/** Takes a row's next token, and what is foreseen behind it; why the row ends there, or null when it goes on. */
function settle(row: DecodingRow, decoding: Decoding): Generated["stopped"] | null {
  const { eosIds, onToken } = decoding.options;
  for (;;) {
    if (row.maxNewTokens === 0) return "length";
    if (eosIds.includes(row.next)) return "eos";
    row.ids.push(row.next);
    if (onToken?.(row.index, row.next, row.ids)) return "stop";
    if (row.ids.length >= row.maxNewTokens || row.length + 1 >= decoding.maxLength) return "length";
    const [foreseen, ...later] = row.foreseen;
    if (foreseen?.token !== row.next) return null;
    row.length += 1;
    row.foreseen = later;
    row.next = chooseNext(row, foreseen.found, decoding.options);
  }
}
