// The runtime's memory arena, played through: how much of it is ever touched when tensors take and give memory in a known
// order. More than what is alive at once: pieces are reused only where they fit, and an uncut rest is wasted.
// In: events from liveness.ts. Out: bytes. Source: ONNX Runtime's bfc_arena.cc and allocator.h with their defaults.

import type { LiveTensor, MemoryEvent } from "./liveness.ts";

const unit = 256;
const firstRegionBytes = 1 << 20;
const growthBytes = 2 << 20;
const largestGrowthBytes = 1 << 30;
/** A free piece is cut where it is twice the request, or where at least this would be wasted. */
const mostWastedBytes = 128 << 20;
/** Grain in which touched memory is counted: a huge page of the system, which is what one touch costs where it gives those. */
const grainBytes = 64 << 10;

interface Chunk {
  region: Region;
  offset: number;
  size: number;
  isFree: boolean;
  before: Chunk | null;
  after: Chunk | null;
}

interface Region {
  id: number;
  touched: Uint8Array;
}

export interface Arena {
  play(events: readonly MemoryEvent[]): void;
  /** Memory that was written at least once: what the system counts as the process's. */
  touchedBytes(): number;
}

export function createArena(): Arena {
  const regions: Region[] = [];
  const held = new Map<LiveTensor, Chunk>();
  /** Free chunks, by size and then by place, as the best fit is looked for. */
  const free: Chunk[] = [];
  let nextRegionBytes = firstRegionBytes;

  const before = (a: Chunk, b: Pick<Chunk, "size" | "offset" | "region">): boolean =>
    a.size !== b.size ? a.size < b.size : a.region !== b.region ? a.region.id < b.region.id : a.offset < b.offset;
  const placeOf = (chunk: Pick<Chunk, "size" | "offset" | "region">): number => {
    let [low, high] = [0, free.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (before(free[middle]!, chunk)) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const release = (chunk: Chunk): void => {
    chunk.isFree = true;
    free.splice(placeOf(chunk), 0, chunk);
  };
  const withdraw = (chunk: Chunk): void => void free.splice(placeOf(chunk), 1);

  function extend(bytes: number): void {
    let hasGrown = false;
    while (bytes > nextRegionBytes) {
      nextRegionBytes *= 2;
      hasGrown = true;
    }
    const size = nextRegionBytes;
    if (regions.length === 0) nextRegionBytes = Math.max(nextRegionBytes, growthBytes);
    else if (!hasGrown) nextRegionBytes = Math.max(nextRegionBytes, Math.min(nextRegionBytes * 2, largestGrowthBytes));
    const region: Region = { id: regions.length, touched: new Uint8Array(Math.ceil(size / grainBytes)) };
    regions.push(region);
    release({ region, offset: 0, size, isFree: true, before: null, after: null });
  }

  function take(tensor: LiveTensor): void {
    if (tensor.bytes === 0) return;
    const bytes = Math.ceil(tensor.bytes / unit) * unit;
    const fits = (): Chunk | undefined => free[placeOf({ size: bytes, offset: -1, region: { id: -1, touched: new Uint8Array(0) } })];
    let chunk = fits();
    if (!chunk) {
      extend(bytes);
      chunk = fits()!;
    }
    withdraw(chunk);
    chunk.isFree = false;
    if (chunk.size >= 2 * bytes || chunk.size - bytes >= mostWastedBytes) {
      const rest: Chunk = { region: chunk.region, offset: chunk.offset + bytes, size: chunk.size - bytes, isFree: true, before: chunk, after: chunk.after };
      if (chunk.after) chunk.after.before = rest;
      chunk.after = rest;
      chunk.size = bytes;
      release(rest);
    }
    chunk.region.touched.fill(1, Math.floor(chunk.offset / grainBytes), Math.ceil((chunk.offset + tensor.bytes) / grainBytes));
    held.set(tensor, chunk);
  }

  function give(tensor: LiveTensor): void {
    let chunk = held.get(tensor);
    if (!chunk) return;
    held.delete(tensor);
    for (const [left, right] of [[chunk, chunk.after], [chunk.before, chunk]] as const) {
      if (!left || !right || (left === chunk ? !right.isFree : !left.isFree)) continue;
      withdraw(left === chunk ? right : left);
      left.size += right.size;
      left.after = right.after;
      if (right.after) right.after.before = left;
      chunk = left;
    }
    release(chunk);
  }

  return {
    play(events) {
      for (const event of events) {
        if ("takes" in event) take(event.takes);
        else give(event.gives);
      }
      // What a run leaves is handed to the caller, who lets go of it before the next.
      for (const tensor of [...held.keys()]) give(tensor);
    },
    touchedBytes: () => regions.reduce((sum, { touched }) => sum + touched.reduce((count, grain) => count + grain, 0), 0) * grainBytes,
  };
}
