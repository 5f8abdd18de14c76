// The peak that training is measured against: one large float32 matrix product through our runtime, here and now.

import { GraphBuilder } from "../native-models/graph/builder.ts";
import { emitOnnx } from "../native-models/graph/emit-onnx.ts";
import { f32, openSession } from "../native-models/runtime/session.ts";
import { measureAlone } from "./child.ts";

const size = 2048;
/** Long enough to meet a quiet moment beside other work. */
const measuredMs = 4000;

export interface Peak {
  /** Of the fastest run: what the machine can do when it is let. */
  flopsPerSecond: number;
}

async function measure({ threads }: { threads: number }): Promise<Peak> {
  const g = new GraphBuilder();
  g.output("c", g.matmul(g.input("a", "float32", [size, size]), g.input("b", "float32", [size, size])));
  const session = await openSession(emitOnnx(g.graph()), { threads });
  const filled = () => f32(Float32Array.from({ length: size * size }, (_, i) => (i % 97) / 97), size, size);
  const feeds = { a: filled(), b: filled() };
  const into = { c: filled() };
  let fastestMs = Infinity;
  for (const end = performance.now() + measuredMs; performance.now() < end; ) {
    const started = performance.now();
    await session.run(feeds, { into });
    fastestMs = Math.min(fastestMs, performance.now() - started);
  }
  await session.release();
  return { flopsPerSecond: (2 * size ** 3 * 1000) / fastestMs };
}

if (import.meta.main) await measureAlone(measure);
