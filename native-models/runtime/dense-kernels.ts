// Float64 matrix products for the null-space solver, by ONNX Runtime: four tiny programs, one a way of transposing.
// Measured on two cores (AMD EPYC, AVX-512): 45 GFLOP/s on one thread and 80 to 90 on two for large products, against 2.5
// in TypeScript. Small products (D = 576) gain nothing from a second thread, so layers are solved side by side instead
// (starts/build.ts). Threads do not spin between products: with other work on the machine that cost three times the time.

import { GraphBuilder } from "../graph/builder.ts";
import { emitOnnx } from "../graph/emit-onnx.ts";
import { productShape, type DenseKernels } from "../nullspace/kernels.ts";
import { openSession, type Session } from "./session.ts";

export interface RuntimeKernels extends DenseKernels {
  release(): Promise<void>;
}

export async function openDenseKernels({ threads }: { threads: number }): Promise<RuntimeKernels> {
  const sessions = await Promise.all([false, true].flatMap((a) => [false, true].map((b) => openProduct(a, b, threads))));
  return {
    async multiply(a, b, out, options = {}) {
      productShape(a, b, out, options);
      const session = sessions[(options.transposeA ? 2 : 0) + (options.transposeB ? 1 : 0)]!;
      const feeds = { a: { data: a.values, dims: [a.rows, a.cols] }, b: { data: b.values, dims: [b.rows, b.cols] } };
      await session.run(feeds, { into: { out: { data: out.values, dims: [out.rows, out.cols] } } });
    },
    async release() {
      await Promise.all(sessions.map((session) => session.release()));
    },
  };
}

function openProduct(transposeA: boolean, transposeB: boolean, threads: number): Promise<Session> {
  const g = new GraphBuilder();
  const a = g.input("a", "float64", transposeA ? ["K", "M"] : ["M", "K"]);
  const b = g.input("b", "float64", transposeB ? ["N", "K"] : ["K", "N"]);
  g.output("out", g.gemm(a, b, { transposeA, transposeB }));
  return openSession(emitOnnx(g.graph()), { threads, keepsMemory: false, spins: false });
}
