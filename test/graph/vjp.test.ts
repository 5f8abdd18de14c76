// Every op's shape rule and VJP: against the runtime and against central differences.

import { describe, expect, test } from "vitest";
import { backward } from "../../native-models/graph/backward.ts";
import { GraphBuilder } from "../../native-models/graph/builder.ts";
import { emitOnnx } from "../../native-models/graph/emit-onnx.ts";
import { optimize } from "../../native-models/graph/passes/optimize.ts";
import { shapeRules } from "../../native-models/graph/shapes.ts";
import type { Value } from "../../native-models/graph/value.ts";
import { openSession, type Session, type TensorData } from "../../native-models/runtime/session.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { randomElements, vjpCases, type VjpCase } from "./vjp-cases.ts";

const step = 1e-2;
const tolerance = 5e-3; // float32, step 1e-2: truncation about 1e-4 of the third derivative, rounding about 1e-5/1e-2

interface Prepared {
  feeds: Record<string, TensorData>;
  names: string[];
  /** What the shape rules say of y. */
  shape: number[];
  session: Session;
}

/** A session whose outputs are the loss Σ y ⊙ w (w random, fixed), y itself, and the cotangent of each checked input. */
async function prepare(vjpCase: VjpCase): Promise<Prepared> {
  const random = seededRandom(7);
  const g = new GraphBuilder();
  const feeds: Record<string, TensorData> = {};
  const values: Record<string, Value> = {};
  for (const [name, input] of Object.entries(vjpCase.inputs)) {
    const data = randomElements(input, random);
    feeds[name] = { data, dims: input.shape };
    values[name] = g.input(name, data instanceof BigInt64Array ? "int64" : "float32", input.shape);
  }
  const y = vjpCase.build(g, values);
  const shape = y.shape as number[];
  const weights = Float32Array.from({ length: shape.reduce((n, dim) => n * dim, 1) }, () => random() - 0.5);
  const weighted = g.mul(y, g.constant(weights, shape));
  const loss = shape.length === 0 ? weighted : g.reduceSum(weighted, [...shape.keys()]);
  const names = Object.keys(vjpCase.inputs).filter((name) => vjpCase.inputs[name].isChecked);
  const gradients = backward(g, loss, names.map((name) => values[name]));
  g.output("loss", loss);
  g.output("y", y);
  gradients.forEach((gradient, i) => g.output(`d.${names[i]}`, gradient));
  return { feeds, names, shape, session: await openSession(emitOnnx(optimize(g.graph()))) };
}

async function worstRelativeError({ feeds, names, session }: Prepared): Promise<number> {
  const lossAt = async (): Promise<number> => (await session.run(feeds)).loss.data[0] as number;
  const analytic = await session.run(feeds);
  let worst = 0;
  for (const name of names) {
    const data = feeds[name].data as Float32Array;
    const gradient = analytic[`d.${name}`].data as Float32Array;
    const scale = Math.max(1e-2, ...Array.from(gradient, Math.abs));
    for (let i = 0; i < data.length; i++) {
      const kept = data[i];
      data[i] = kept + step;
      const above = await lossAt();
      data[i] = kept - step;
      const below = await lossAt();
      data[i] = kept;
      worst = Math.max(worst, Math.abs((above - below) / (2 * step) - gradient[i]) / scale);
    }
  }
  return worst;
}

describe("each op", () => {
  test("has a case", () => {
    expect(Object.keys(shapeRules).filter((op) => !vjpCases.some((vjpCase) => vjpCase.op === op))).toEqual([]);
  });

  test.each(vjpCases)("$name: cotangents agree with central differences, shapes with the runtime", async (vjpCase) => {
    const prepared = await prepare(vjpCase);
    const { y } = await prepared.session.run(prepared.feeds);
    expect(y.dims).toEqual(prepared.shape);
    expect(await worstRelativeError(prepared)).toBeLessThan(tolerance);
  });
});
