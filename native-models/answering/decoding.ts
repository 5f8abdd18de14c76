// The decoding loop: all rows in neighbouring slots get one token a step; a row that ends leaves its slot to the last one,
// and new rows may take the places that are free (continuous batching, Orca, OSDI 2022).
// In: rows whose next token is chosen. Out: each row's tokens, as soon as it ends.

import { setImmediate as yieldToMessages } from "node:timers/promises";
import type { AdapterFeeds } from "./adapter-feeds.ts";
import type { KeyValueCache } from "./cache.ts";
import type { Forward, Found, SlotRow } from "./forward.ts";

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
}

export interface Decoding {
  forward: Forward;
  cache: KeyValueCache;
  adapters: AdapterFeeds;
  /** Longest row, prompt and answer together. */
  maxLength: number;
  options: Omit<GenerateOptions, "maxNewTokens">;
  onEnd(row: DecodingRow, stopped: Generated["stopped"]): void;
  /** Rows to add behind `rows`, already in their slots; none when there is nothing to add yet, or anymore. */
  admit?(rows: readonly DecodingRow[]): Promise<DecodingRow[]>;
  /** Row of slot `from` moves to slot `to`. */
  move?(from: number, to: number, row: DecodingRow): void;
}

/** Decodes to the end of every row. Row i stands in slot i. */
export async function decodeAll(decoding: Decoding, rows: DecodingRow[]): Promise<void> {
  const { forward, cache, adapters, options, admit, move = (from, to, row) => cache.copy(cache, from, to, 0, row.length) } = decoding;
  let fresh: readonly DecodingRow[] = [...rows];
  for (;;) {
    for (const row of fresh) {
      const stopped = settle(row, decoding);
      if (stopped === null) continue;
      decoding.onEnd(row, stopped);
      const slot = rows.indexOf(row);
      const last = rows.pop() as DecodingRow;
      if (last === row) continue;
      move(rows.length, slot, last);
      rows[slot] = last;
    }
    options.signal?.throwIfAborted();
    const added = (await admit?.(rows)) ?? [];
    if (added.length > 0) {
      rows.push(...added);
      fresh = added;
      continue;
    }
    if (rows.length === 0) return;
    const found = await forward({
      cache,
      first: 0,
      rows,
      news: rows.map(({ next }) => [next]),
      wanted: rows.map((_, row) => ({ row, at: 0 })),
      adapters,
      needsLogits: options.choose !== undefined,
    });
    rows.forEach((row, i) => {
      row.length += 1;
      row.next = chooseNext(row, found[i], options);
    });
    fresh = [...rows];
    await yieldToMessages();
  }
}

export function chooseNext({ index, ids }: Pick<DecodingRow, "index" | "ids">, { best, logits }: Found, { choose }: Pick<GenerateOptions, "choose">): number {
  return choose && logits ? choose(index, logits, ids) : best;
}

/** Takes a row's next token; why the row ends with it, or null when it goes on. */
function settle(row: DecodingRow, { options: { eosIds, onToken }, maxLength }: Decoding): Generated["stopped"] | null {
  if (row.maxNewTokens === 0) return "length";
  if (eosIds.includes(row.next)) return "eos";
  row.ids.push(row.next);
  if (onToken?.(row.index, row.next, row.ids)) return "stop";
  return row.ids.length < row.maxNewTokens && row.length + 1 < maxLength ? null : "length";
}
