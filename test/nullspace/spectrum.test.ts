// The estimated spectrum against known eigenvalues, and against PyTorch's of the real model.

import { expect, test } from "vitest";
import { openSafetensors } from "../../native-models/checkpoint/safetensors.ts";
import { plainKernels as kernels } from "../../native-models/nullspace/kernels.ts";
import { estimateSpectrum, type Spectrum } from "../../native-models/nullspace/spectrum.ts";
import { openDenseKernels } from "../../native-models/runtime/dense-kernels.ts";
import { goldenGrams } from "../support/golden-grams.ts";
import { goldenFile, goldenTest } from "../support/shared-paths.ts";
import { logSpaced, plantedGram } from "./synthetic.ts";

/** Differences in decades at each point, sorted. */
function decadesApart({ values, size }: Spectrum, eigenvalues: ArrayLike<number>): number[] {
  return values.map((value, i) => {
    const truth = eigenvalues[Math.min(size - 1, Math.round((i / (values.length - 1)) * (size - 1)))]!;
    return Math.abs(Math.log10(value) - Math.log10(truth));
  }).sort((a, b) => a - b);
}

test.each([
  ["three orders", logSpaced(200, 0.1, 100)],
  ["eight orders", logSpaced(200, 1e-4, 1e4)],
] as const)("of %s is within a third of a decade everywhere", async (_name, eigenvalues) => {
  const { gram } = await plantedGram(eigenvalues, 3);
  const apart = decadesApart(await estimateSpectrum(gram, { kernels, seed: 0 }), eigenvalues);
  expect(apart.at(-1)!).toBeLessThan(0.34); // four random probes of 200 directions
});

test("the effective rank of equal eigenvalues is their number, and of one direction one", async () => {
  const { gram } = await plantedGram(Array<number>(60).fill(3), 1);
  expect((await estimateSpectrum(gram, { kernels, seed: 0 })).effectiveRank).toBeCloseTo(60, 6);
  const { gram: one } = await plantedGram([...Array<number>(59).fill(1e-9), 1], 1);
  expect((await estimateSpectrum(one, { kernels, seed: 0 })).effectiveRank).toBeCloseTo(1, 2);
});

test("an empty Gram has an empty spectrum", async () => {
  expect(await estimateSpectrum({ size: 4, values: new Float64Array(16) }, { kernels, seed: 0, points: 3 })).toEqual({ size: 4, values: [0, 0, 0], effectiveRank: 0 });
});

goldenTest("of the real model's layers agrees with PyTorch's eigenvalues", async () => {
  const golden = openSafetensors(goldenFile("gram.safetensors"));
  const grams = await goldenGrams();
  const fast = await openDenseKernels({ threads: 1 });
  let worst = 0;
  for (const layer of [0, 1, 14, 29]) {
    const name = [...golden.entries.keys()].find((key) => key.startsWith(`layers.${layer}.`) && key.includes("self_attn.q") && key.endsWith("eigenvalues")) ?? [...golden.entries.keys()].find((key) => key.includes(`layers.${layer}.`) && key.endsWith("q_proj.eigenvalues"))!;
    const apart = decadesApart(await estimateSpectrum(grams.read(layer, "attention"), { kernels: fast, seed: 0 }), golden.f64(name));
    worst = Math.max(worst, apart[Math.floor(0.9 * apart.length)]!);
  }
  await fast.release();
  console.log(`nine tenths of the points within ${worst.toFixed(3)} decades`);
  expect(worst).toBeLessThan(0.2);
}, 120_000);
