// The key/value cache of a batch, as the answering program gives and takes it: k.i [B,G,E,S], v.i [B,G,S,E].

import type { ModelConfig } from "../checkpoint/types.ts";
import { f32, type TensorData } from "../runtime/session.ts";

export interface Cache {
  rows: number;
  /** S: places of each row, of which some may be holes (see RowState in answerer.ts). */
  places: number;
  tensors: Record<string, TensorData>;
}

export function emptyCache({ layers, kvHeads: G, headSize: E }: ModelConfig, rows: number): Cache {
  const tensors: Record<string, TensorData> = {};
  for (let layer = 0; layer < layers; layer++) {
    tensors[`k.${layer}`] = f32(new Float32Array(0), rows, G, E, 0);
    tensors[`v.${layer}`] = f32(new Float32Array(0), rows, G, 0, E);
  }
  return { rows, places: 0, tensors };
}

/** Feeds of a cache: what was `k.3` is the next run's `past.k.3`. */
export function pastFeeds(cache: Cache): Record<string, TensorData> {
  return Object.fromEntries(Object.entries(cache.tensors).map(([name, tensor]) => [`past.${name}`, tensor]));
}

export function cacheNames(config: ModelConfig): string[] {
  return Array.from({ length: config.layers }, (_, layer) => [`k.${layer}`, `v.${layer}`]).flat();
}

/** A cache of chosen rows, in the order given; a row may be repeated. Sources all have the same number of places. */
export function pickRows(sources: readonly { cache: Cache; row: number }[]): Cache {
  const [{ cache: first }] = sources;
  const tensors: Record<string, TensorData> = {};
  for (const [name, { dims }] of Object.entries(first.tensors)) {
    const rowSize = dims[1] * dims[2] * dims[3];
    const data = new Float32Array(sources.length * rowSize);
    sources.forEach(({ cache, row }, i) => {
      const from = cache.tensors[name].data as Float32Array;
      data.set(from.subarray(row * rowSize, (row + 1) * rowSize), i * rowSize);
    });
    tensors[name] = { data, dims: [sources.length, ...dims.slice(1)] };
  }
  return { rows: sources.length, places: first.places, tensors };
}
