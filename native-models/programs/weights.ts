// Weights of a checkpoint as graph values: external data in the user's own file, cast to float32 when the runtime
// loads it. Nothing is copied to disk.

import type { Checkpoint } from "../checkpoint/types.ts";
import type { GraphBuilder } from "../graph/builder.ts";
import type { Dtype, Value } from "../graph/value.ts";

const graphDtype: Record<string, Dtype> = { BF16: "bfloat16", F16: "float16", F32: "float32" };

/** The tensor `name` [out,in] or [size], float32 in the graph. */
export function weightOf(g: GraphBuilder, checkpoint: Checkpoint, name: string): Value {
  const entry = checkpoint.tensors.get(name);
  if (!entry) throw new Error(`${checkpoint.folder} has no tensor ${name}`);
  const { offsetBytes, sizeBytes } = entry;
  const file = checkpoint.weights.locations.get(entry.file);
  if (file === undefined) throw new Error(`${checkpoint.folder}: ${entry.file} is none of its weight files`);
  const stored = g.weight(name, graphDtype[entry.dtype], entry.shape, { file, offsetBytes, sizeBytes });
  return g.cast(stored, "float32");
}
