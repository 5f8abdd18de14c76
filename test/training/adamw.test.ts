// The optimizer's program against twenty lines of float64, and the schedule against numbers worked out by hand.

import { expect, test } from "vitest";
import { adamWScalars, buildAdamWProgram, type AdamWSettings } from "../../native-models/programs/adamw-program.ts";
import { f32, openSession } from "../../native-models/runtime/session.ts";
import { learningRateAt, type Schedule } from "../../native-models/training/schedule.ts";
import { relativeDistance } from "../support/tiny-training.ts";
import { seededNormal } from "../support/tiny-model.ts";

const size = 50;
const steps = 6;
const plain: AdamWSettings = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, clipNorm: null };

interface Vectors { p: Float64Array; m: Float64Array; v: Float64Array }

/** One update, as algorithm 2 of arXiv 1711.05101 is written; clipping as torch's clip_grad_norm_. Returns the norm. */
function referenceStep({ p, m, v }: Vectors, g: ArrayLike<number>, t: number, lr: number, { beta1, beta2, epsilon, weightDecay, clipNorm }: AdamWSettings): number {
  const norm = Math.sqrt(Array.from(g).reduce((sum, x) => sum + x * x, 0));
  const factor = clipNorm === null ? 1 : Math.min(1, clipNorm / (norm + 1e-6));
  for (let i = 0; i < p.length; i++) {
    const clipped = g[i] * factor;
    m[i] = beta1 * m[i] + (1 - beta1) * clipped;
    v[i] = beta2 * v[i] + (1 - beta2) * clipped ** 2;
    const [mean, variance] = [m[i] / (1 - beta1 ** t), v[i] / (1 - beta2 ** t)];
    p[i] -= lr * weightDecay * p[i] + (lr * mean) / (Math.sqrt(variance) + epsilon);
  }
  return norm;
}

test.each([
  { name: "plain", settings: plain },
  { name: "with weight decay", settings: { ...plain, weightDecay: 0.1 } },
  { name: "clipped at every step", settings: { ...plain, clipNorm: 0.5, weightDecay: 0.01 } },
  { name: "with a limit it never reaches", settings: { ...plain, clipNorm: 1e6 } },
  { name: "with other betas and epsilon", settings: { ...plain, beta1: 0.8, beta2: 0.95, epsilon: 1e-3 } },
])("AdamW $name: six updates agree with float64", async ({ name, settings }) => {
  const session = await openSession(buildAdamWProgram(settings), { threads: 1 });
  const normal = seededNormal(3);
  const draw = (): Float32Array => Float32Array.from({ length: size }, normal);
  const start = draw();
  const expected: Vectors = { p: Float64Array.from(start), m: new Float64Array(size), v: new Float64Array(size) };
  let own: Record<"p" | "m" | "v", Float32Array> = { p: start, m: new Float32Array(size), v: new Float32Array(size) };
  const worst = { p: 0, m: 0, v: 0, norm: 0 };
  for (let t = 1; t <= steps; t++) {
    const [gradients, learningRate] = [draw(), 0.01 * t];
    const norm = referenceStep(expected, gradients, t, learningRate, settings);
    const vectors = Object.fromEntries(Object.entries({ ...own, g: gradients }).map(([key, data]) => [key, f32(data, size)]));
    const next = await session.run({ ...vectors, ...adamWScalars(settings, learningRate, t) });
    own = { p: next["p'"].data as Float32Array, m: next["m'"].data as Float32Array, v: next["v'"].data as Float32Array };
    worst.norm = Math.max(worst.norm, Math.abs((next.norm.data[0] as number) / norm - 1));
    for (const key of ["p", "m", "v"] as const) worst[key] = Math.max(worst[key], relativeDistance(own[key], expected[key]));
  }
  await session.release();
  console.log(`AdamW ${name}: ${Object.entries(worst).map(([key, value]) => `${key} ${value.toExponential(1)}`).join(", ")} from float64`);
  for (const value of Object.values(worst)) expect(value).toBeLessThan(1e-6); // float32: 24 bits, some ten roundings a step
});

test("the first update moves each parameter by the learning rate against its gradient's sign", async () => {
  // m̂/√v̂ = g/|g| at step 1: a bias correction left out would give 0.1/√0.001 = 3.2 times as much.
  const session = await openSession(buildAdamWProgram(plain), { threads: 1 });
  const g = Float32Array.of(3, -0.02, 500);
  const zeros = (): Float32Array => new Float32Array(3);
  const next = await session.run({ p: f32(zeros(), 3), m: f32(zeros(), 3), v: f32(zeros(), 3), g: f32(g, 3), ...adamWScalars(plain, 0.01, 1) });
  await session.release();
  expect(Array.from(next["p'"].data as Float32Array, (x) => Number(x.toFixed(6)))).toEqual([-0.01, 0.01, -0.01]);
});

test.each<{ name: string; schedule: Schedule; expected: Record<number, number> }>([
  {
    // warm = ⌈0.03·16⌉ = 1; step 2: ½(1 + cos π/15), step 15: ½(1 + cos 14π/15)
    name: "16 steps, 3 % of warm-up",
    schedule: { peak: 2e-4, steps: 16, warmupRatio: 0.03 },
    expected: { 0: 2e-4, 1: 2e-4, 2: 1.9781476e-4, 15: 2.1852399e-6 },
  },
  {
    // warm = 2; then ½(1 + cos kπ/8), k = 0, 2, 4, 6, 7
    name: "10 steps, 20 % of warm-up",
    schedule: { peak: 1, steps: 10, warmupRatio: 0.2 },
    expected: { 0: 0.5, 1: 1, 2: 1, 4: 0.85355339, 6: 0.5, 8: 0.14644661, 9: 0.03806023 },
  },
  { name: "no warm-up", schedule: { peak: 1, steps: 2, warmupRatio: 0 }, expected: { 0: 1, 1: 0.5 } },
  { name: "warm-up to the end", schedule: { peak: 1, steps: 4, warmupRatio: 1 }, expected: { 0: 0.25, 3: 1 } },
])("the learning rate of $name", ({ schedule, expected }) => {
  for (const [step, rate] of Object.entries(expected)) expect(learningRateAt(schedule, Number(step)) / rate, `step ${step}`).toBeCloseTo(1, 6);
});
