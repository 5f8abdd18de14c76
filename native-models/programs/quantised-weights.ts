// Rounded weights as graph values: external data in the cache's own file (quantised/quantised-model.ts), never read here.

import type { Checkpoint, TensorEntry } from "../checkpoint/types.ts";
import type { GraphBuilder } from "../graph/builder.ts";
import type { Dtype, Value } from "../graph/value.ts";
import { blockSize } from "../quantised/blocks.ts";
import { partNames, type QuantisedModel } from "../quantised/quantised-model.ts";

const graphDtype: Record<string, Dtype> = { BF16: "bfloat16", F16: "float16", F32: "float32", U8: "uint8" };

/** A tensor of the file as it stands there. */
export function storedTensor(g: GraphBuilder, { entries, file }: QuantisedModel, name: string): Value {
  const entry = entries.get(name);
  if (!entry) throw new Error(`The rounded weights have no tensor ${name}`);
  return g.weight(name, graphDtype[entry.dtype], entry.shape, { file, offsetBytes: entry.offsetBytes, sizeBytes: entry.sizeBytes });
}

/** x [N,in] times the rounded weight `name` [out,in]. */
export function quantisedProduct(g: GraphBuilder, model: QuantisedModel, x: Value, name: string): Value {
  const parts = partNames(name);
  const bits = model.entries.has(parts.zeros) ? 4 : 8;
  const packed = storedTensor(g, model, parts.packed);
  const weight = { packed, scales: storedTensor(g, model, parts.scales), zeros: bits === 4 ? storedTensor(g, model, parts.zeros) : null };
  return g.quantisedLinear(x, weight, { bits, blockSize, in: x.shape[1] as number, out: packed.shape[0] as number });
}

/** The checkpoint with its norms read from the rounded model's file, as all that the runtime reads must lie in one folder. */
export function withKeptWeights(checkpoint: Checkpoint, { entries, file, folder }: QuantisedModel): Checkpoint {
  const kept = [...checkpoint.tensors].map(([name, entry]): [string, TensorEntry] => {
    const found = entries.get(name);
    return [name, found ? { ...entry, file, offsetBytes: found.offsetBytes, sizeBytes: found.sizeBytes } : entry];
  });
  return { ...checkpoint, folder, tensors: new Map(kept), weights: { folder, locations: new Map([...checkpoint.weights.locations, [file, file]]) } };
}
