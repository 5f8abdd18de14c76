// The key/value cache of the rows that are being answered: one slot a row, every slot with room for the same number of
// places. The program reads the slots where they lie and gives back the keys and values of new tokens only, which are
// written in here: nothing that is in the cache is copied from step to step.
// Keys lie as [slots,G,E,C], values as [slots,G,C,E], one pair a layer, so that the first n slots are one view.

import type { ModelConfig } from "../checkpoint/types.ts";
import { f32, type TensorData } from "../runtime/session.ts";

/** Keys [B,L·G,E,T] and values [B,L·G,T,E] of new tokens, as the program gives them. */
export interface NewPlaces {
  k: TensorData;
  v: TensorData;
}

export type CacheShape = Pick<ModelConfig, "layers" | "kvHeads" | "headSize">;

export class KeyValueCache {
  readonly #shape: CacheShape;
  readonly #slots: number;
  #places = 0;
  readonly #keys: Float32Array[];
  readonly #values: Float32Array[];
  /** Views of slots by "first count"; the same objects each step, so that the runtime's handles on them last. */
  readonly #views = new Map<string, Record<string, TensorData>>();

  constructor(shape: CacheShape, slots: number, places = 0) {
    this.#shape = shape;
    this.#slots = slots;
    this.#keys = Array.from({ length: shape.layers }, () => new Float32Array(0));
    this.#values = Array.from({ length: shape.layers }, () => new Float32Array(0));
    this.reserve(places);
  }

  /** C: places of each slot. */
  get places(): number {
    return this.#places;
  }

  /** Makes room for so many places a slot; what is held stays. */
  reserve(places: number): void {
    if (places <= this.#places) return;
    const { layers, kvHeads: G, headSize: E } = this.#shape;
    const [before, now] = [this.#places, Math.ceil(places / placesAtOnce) * placesAtOnce];
    const grown = (data: Float32Array, rowBefore: number, rowNow: number, rows: number): Float32Array => {
      const target = new Float32Array(rows * rowNow);
      for (let row = 0; rowBefore > 0 && row < rows; row++) target.set(data.subarray(row * rowBefore, (row + 1) * rowBefore), row * rowNow);
      return target;
    };
    for (let layer = 0; layer < layers; layer++) {
      this.#keys[layer] = grown(this.#keys[layer], before, now, this.#slots * G * E);
      this.#values[layer] = grown(this.#values[layer], before * E, now * E, this.#slots * G);
    }
    this.#places = now;
    this.#views.clear();
  }

  /** Feeds of the slots from `first` on; `isEmpty`: they hold nothing yet, so no place is read. */
  past(first: number, count: number, isEmpty: boolean): Record<string, TensorData> {
    const key = isEmpty ? `empty ${count}` : `${first} ${count}`;
    const known = this.#views.get(key);
    if (known) return known;
    const { layers, kvHeads: G, headSize: E } = this.#shape;
    const C = isEmpty ? 0 : this.#places;
    const size = G * E * C;
    const feeds: Record<string, TensorData> = {};
    for (let layer = 0; layer < layers; layer++) {
      feeds[`past.k.${layer}`] = f32(this.#keys[layer].subarray(first * size, (first + count) * size), count, G, E, C);
      feeds[`past.v.${layer}`] = f32(this.#values[layer].subarray(first * size, (first + count) * size), count, G, C, E);
    }
    this.#views.set(key, feeds);
    return feeds;
  }

  /** Writes the first `counts[b]` new places of row b into slot `first + b`, from place `starts[b]` on. */
  write(first: number, starts: readonly number[], counts: readonly number[], { k, v }: NewPlaces): void {
    const { layers, kvHeads: G, headSize: E } = this.#shape;
    const C = this.#places;
    const T = k.dims[3];
    const [newKeys, newValues] = [k.data as Float32Array, v.data as Float32Array];
    counts.forEach((count, b) => {
      if (starts[b] + count > C) throw new RangeError(`Place ${starts[b] + count} of ${C}`);
      for (let layer = 0; layer < layers; layer++) {
        const [keys, values] = [this.#keys[layer], this.#values[layer]];
        for (let g = 0; g < G; g++) {
          const from = ((b * layers + layer) * G + g) * E * T;
          const to = ((first + b) * G + g) * E * C;
          for (let e = 0; e < E; e++) {
            for (let t = 0; t < count; t++) keys[to + e * C + starts[b] + t] = newKeys[from + e * T + t];
          }
          values.set(newValues.subarray(from, from + count * E), to + starts[b] * E);
        }
      }
    });
  }

  /** Copies places [start, end) of a slot of `source` into a slot of this cache. */
  copy(source: KeyValueCache, from: number, to: number, start: number, end: number): void {
    const { layers, kvHeads: G, headSize: E } = this.#shape;
    const [C, S] = [this.#places, source.#places];
    for (let layer = 0; layer < layers; layer++) {
      for (let row = 0; row < G * E; row++) {
        const [a, b] = [(from * G * E + row) * S, (to * G * E + row) * C];
        this.#keys[layer].set(source.#keys[layer].subarray(a + start, a + end), b + start);
      }
      for (let g = 0; g < G; g++) {
        const [a, b] = [(from * G + g) * S * E, (to * G + g) * C * E];
        this.#values[layer].set(source.#values[layer].subarray(a + start * E, a + end * E), b + start * E);
      }
    }
  }
}

/** Room grows by this many places: a cache line of scores. */
const placesAtOnce = 16;
