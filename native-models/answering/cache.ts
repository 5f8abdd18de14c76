// The key/value cache of the rows that are being answered: one slot a row, every slot with room for the same number of
// places. The program reads the slots where they lie and gives back the keys and values of new tokens only, which are
// written in here: nothing that is in the cache is copied from step to step.
// Keys and values lie as [slots,G,C,E], one pair a layer, so that neighbouring slots are one view.

import type { ModelConfig } from "../checkpoint/types.ts";
import { f32, type TensorData } from "../runtime/session.ts";

/** Keys and values [..,L·G,T,E] of new tokens, as the program gives them. */
export interface NewPlaces {
  k: TensorData;
  v: TensorData;
}

/** Where a row's new tokens are to lie. */
export interface NewTokens {
  /** Which of the rows that the program gives back. */
  place: number;
  slot: number;
  /** First place in the slot. */
  start: number;
  count: number;
}

export type CacheShape = Pick<ModelConfig, "layers" | "kvHeads" | "headSize">;

/** Of one token: keys and values of all layers. */
export function bytesAPlace({ layers, kvHeads, headSize }: CacheShape): number {
  return 2 * layers * kvHeads * headSize * Float32Array.BYTES_PER_ELEMENT;
}

export class KeyValueCache {
  readonly #shape: CacheShape;
  readonly #slots: number;
  #places = 0;
  readonly #keys: Float32Array[];
  readonly #values: Float32Array[];
  /** Views of slots by name, first and count; the same objects each step, so that the runtime's handles on them last. */
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

  get sizeBytes(): number {
    return [...this.#keys, ...this.#values].reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** Makes room for so many places a slot; what is held stays. */
  reserve(places: number): void {
    if (places <= this.#places) return;
    const { layers, kvHeads: G, headSize: E } = this.#shape;
    const [before, now] = [this.#places * E, Math.ceil(places / placesAtOnce) * placesAtOnce * E];
    const grown = (data: Float32Array): Float32Array => {
      const target = new Float32Array(this.#slots * G * now);
      for (let head = 0; before > 0 && head < this.#slots * G; head++) target.set(data.subarray(head * before, (head + 1) * before), head * now);
      return target;
    };
    for (let layer = 0; layer < layers; layer++) {
      this.#keys[layer] = grown(this.#keys[layer]);
      this.#values[layer] = grown(this.#values[layer]);
    }
    this.#places = now / E;
    this.#views.clear();
  }

  /**
   * Feeds `NAME.k.i` and `NAME.v.i` of the slots from `first` on, as [..lead,G,C,E]; as many as `lead` says. `isEmpty`: they
   * hold nothing yet, so no place is read.
   */
  feeds(name: string, first: number, lead: readonly number[], isEmpty = false): Record<string, TensorData> {
    const key = `${name} ${isEmpty ? "empty" : first} ${lead.join()}`;
    const known = this.#views.get(key);
    if (known) return known;
    const { layers, kvHeads: G, headSize: E } = this.#shape;
    const C = isEmpty ? 0 : this.#places;
    const size = G * C * E;
    const count = lead.reduce((a, b) => a * b, 1);
    const view = (data: Float32Array): TensorData => f32(data.subarray(first * size, (first + count) * size), ...lead, G, C, E);
    const feeds: Record<string, TensorData> = {};
    for (let layer = 0; layer < layers; layer++) {
      feeds[`${name}.k.${layer}`] = view(this.#keys[layer]);
      feeds[`${name}.v.${layer}`] = view(this.#values[layer]);
    }
    this.#views.set(key, feeds);
    return feeds;
  }

  /** Writes new tokens of rows into their slots. */
  write(rows: readonly NewTokens[], { k, v }: NewPlaces): void {
    const { layers, kvHeads: G, headSize: E } = this.#shape;
    const C = this.#places;
    const T = k.dims[k.dims.length - 2];
    const [newKeys, newValues] = [k.data as Float32Array, v.data as Float32Array];
    for (const { place, slot, start, count } of rows) {
      if (start + count > C) throw new RangeError(`Place ${start + count} of ${C}`);
      for (let layer = 0; layer < layers; layer++) {
        for (let head = 0; head < G; head++) {
          const from = ((place * layers + layer) * G + head) * T * E;
          const to = ((slot * G + head) * C + start) * E;
          this.#keys[layer].set(newKeys.subarray(from, from + count * E), to);
          this.#values[layer].set(newValues.subarray(from, from + count * E), to);
        }
      }
    }
  }

  /** Copies the first `count` places of a slot of `source` into a slot of this cache. */
  copy(source: KeyValueCache, from: number, to: number, count: number): void {
    const { layers, kvHeads: G, headSize: E } = this.#shape;
    for (let layer = 0; layer < layers; layer++) {
      for (let head = 0; head < G; head++) {
        const [a, b] = [(from * G + head) * source.#places * E, (to * G + head) * this.#places * E];
        this.#keys[layer].set(source.#keys[layer].subarray(a, a + count * E), b);
        this.#values[layer].set(source.#values[layer].subarray(a, a + count * E), b);
      }
    }
  }
}

/** Room grows by this many places: a cache line of scores. */
const placesAtOnce = 16;
