// What the benchmarks say: ratios, the text for people, and the figures that are worked out and not measured.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { quietCheck } from "../../bench/machine.ts";
import { officialFlops } from "../../bench/nullspace.ts";
import { compare, type BenchReport } from "../../bench/report.ts";
import { number, reportText } from "../../bench/report-text.ts";
import { realisticSpectrum, syntheticGram } from "../../bench/synthetic-gram.ts";
import { neededFlops, quietRate } from "../../bench/train.ts";
import { plainKernels } from "../../native-models/nullspace/kernels.ts";
import { symmetricEigen } from "../../native-models/nullspace/symmetric-eigen.ts";
import { writeTinyModel } from "../support/tiny-model.ts";

const report: BenchReport = {
  bench: "train",
  peer: "PEFT",
  machine: { cpu: "Some CPU", cores: 2, memoryBytes: 16e9, freeMemoryBytes: 8e9, platform: "linux x64", loadBefore: [0.5, 0.25, 1] },
  versions: { node: "24.0.0", torch: "2.15" },
  settings: {},
  comparisons: [
    compare("lora: after the first step", "real tokens/s", "more", 300, 150),
    compare("lora: peak memory", "GB", "less", 1.8, 3.6),
    compare("whole start", "s", "less", 5, null, "official: × 30"),
  ],
  figures: [{ what: "peak", value: 208, unit: "GFLOP/s" }],
  checks: [{ what: "losses agree", found: "1e-5", wanted: "at most 1e-3", holds: true }, { what: "cost", found: "1.92×", wanted: "at most 1.35×", holds: false }],
  notRun: [{ what: "PEFT", why: "no Python 3.10 or newer was found" }],
  measured: [],
  elapsedMs: 12_345,
};

test("a ratio says how many times better ours is, whichever way better lies", () => {
  expect(compare("speed", "tokens/s", "more", 300, 150).ratio).toBe(2);
  expect(compare("memory", "GB", "less", 1.8, 3.6).ratio).toBe(2);
  expect(compare("speed", "tokens/s", "more", 75, 150).ratio).toBe(0.5);
  expect(compare("speed", "tokens/s", "more", 300, null).ratio).toBeNull();
  expect(compare("speed", "tokens/s", "more", 300, 0).ratio).toBeNull();
});

test("the text shows machine, load, both sides, misses and what was not run", () => {
  expect(reportText(report)).toBe(`Training: Nullspace against PEFT
Some CPU, 2 cores, 16.0 GB (8.0 free), linux x64; load before: 0.50 0.25 1.00
node 24.0.0, torch 2.15

                                           Nullspace  PEFT  ratio
lora: after the first step, real tokens/s        300   150  2.00×
lora: peak memory, GB                           1.80  3.60  2.00×
whole start, s (official: × 30)                 5.00     –      –

peak  208 GFLOP/s

ok   losses agree: 1e-5 (wanted: at most 1e-3)
MISS cost: 1.92× (wanted: at most 1.35×)

Not run: PEFT: no Python 3.10 or newer was found

Ratios say how many times better Nullspace is. Measured in 12 s.`);
});

test("a machine with other work is told, by its load a core", () => {
  expect(quietCheck({ ...report.machine, loadBefore: [0.4, 2, 2] }).holds).toBe(true);
  expect(quietCheck(report.machine).holds).toBe(true);
  expect(quietCheck({ ...report.machine, loadBefore: [3.2, 0, 0] })).toMatchObject({ holds: false, found: "load 3.20 before" });
});

test("numbers keep about three digits", () => {
  expect([0, 0.00123, 0.5, 12.34, 123.4, 12345, -2].map(number)).toEqual(["0", "1.2e-3", "0.50", "12.3", "123", "12,345", "-2.00"]);
});

test("needed flops are four a frozen weight and token, less the gradient of layer 0's input, and the head where trained", () => {
  const folder = mkdtempSync(join(tmpdir(), "nullspace-bench-test-"));
  try {
    const { hidden: D, mlpWidth: F, vocabulary: V, heads: H, kvHeads: G, headSize: E } = writeTinyModel(folder, { layers: 2 });
    const [reading, rest] = [(H + 2 * G) * E * D, D * H * E + 3 * F * D];
    expect(neededFlops(folder, { tokens: 100, trainedTokens: 25 })).toBe(2 * reading + 4 * rest + 4 * (reading + rest) + V * D);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("each step counts from the turn where it went fastest", () => {
  const tokensOfStep = [100, 300];
  expect(quietRate([{ tokensOfStep, stepSeconds: [1, 6] }, { tokensOfStep, stepSeconds: [5, 3] }])).toBe(100);
  expect(quietRate([])).toBeNull();
});

test("a synthetic Gram has the spectrum it was made from", async () => {
  const size = 48;
  const { values } = await syntheticGram(size, 3, plainKernels);
  const wanted = realisticSpectrum(size);
  const found = symmetricEigen(Float64Array.from(values), size).values;
  const tolerance = 1e-9; // of the largest eigenvalue: float64 over a size of 48 leaves about 1e-14
  const worst = Math.max(...wanted.map((value, i) => Math.abs(value - found[i]!))) / wanted.at(-1)!;
  expect(worst, `worst ${worst}`).toBeLessThan(tolerance);
  expect([wanted[0], wanted.at(-1)!].map(Math.log10)).toEqual([-5, expect.closeTo(5.3, 10)]);
});

test("what the official route costs elsewhere goes by the cube of the size", () => {
  expect(officialFlops(8192, 8192) / officialFlops(4096, 4096)).toBe(8);
  expect(officialFlops(8192, 4096)).toBe(8192 ** 3 + 8192 * 4096 * 4096);
});
