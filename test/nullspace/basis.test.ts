// The null-space solver on Gram matrices whose answer is known.

import { describe, expect, test } from "vitest";
import { UserError } from "../../native-models/errors.ts";
import { bottomSubspace } from "../../native-models/nullspace/basis.ts";
import { matrix, plainKernels, transposed, type DenseKernels } from "../../native-models/nullspace/kernels.ts";
import { openCudaDevice } from "../../native-models/runtime/cuda-factor.ts";
import { findCuda, type CudaFunctions } from "../../native-models/runtime/cuda-libraries.ts";
import { openDenseKernels } from "../../native-models/runtime/dense-kernels.ts";
import { withDevice } from "../../native-models/runtime/solver-kernels.ts";
import { realisticSpectrum } from "../../bench/synthetic-gram.ts";
import { fakeCuda } from "./fake-cuda.ts";
import { basisOf, gramOf, logSpaced, normalMatrix, orthonormalityError, plantedGram, projector, relativeError, worstDifference } from "./synthetic.ts";

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

const spectra: { name: string; eigenvalues: number[] }[] = [
  { name: "ten orders of magnitude", eigenvalues: logSpaced(160, 2e-5, 2e5) },
  { name: "neighbours 0.3 % apart", eigenvalues: logSpaced(160, 1, 1.6) },
  { name: "two empty directions far below the rest", eigenvalues: [1e-6, 8e-5, ...logSpaced(158, 1.2, 4e3)] },
  { name: "a cluster across the cut", eigenvalues: [...logSpaced(10, 0.1, 0.5), ...Array<number>(40).fill(1), ...logSpaced(110, 2, 1e4)] },
  { name: "all equal", eigenvalues: Array<number>(120).fill(7) },
];

/** All factors by these functions, and no falling back: a note is a failure. */
function onDevice(functions: CudaFunctions): DenseKernels {
  const fail = (line: string): never => {
    throw new Error(line);
  };
  return withDevice(plainKernels, openCudaDevice(functions), { leastSize: 1, onNote: fail });
}

const cuda = await findCuda();
const backEnds: { name: string; open: (() => DenseKernels) | null }[] = [
  { name: "CPU", open: () => plainKernels },
  { name: "CUDA's calls on a stand-in", open: () => onDevice(fakeCuda()) },
  cuda.functions ? { name: `CUDA ${cuda.version}`, open: () => onDevice(cuda.functions!) } : { name: `CUDA (not tested: ${cuda.reason})`, open: null },
];

for (const { name, open } of backEnds) {
  describe.skipIf(open === null)(name, () => {
    const kernels = open?.() ?? plainKernels;
    const options = { kernels, seed: 0 };

    describe("on planted spectra", () => {
      test.each(spectra)("$name: directions are orthonormal to 1e-10 and hold at most 1.001 × the least energy", async ({ eigenvalues }) => {
        const { gram } = await plantedGram(eigenvalues, 11);
        for (const rank of [1, 16, 30]) {
          const found = await bottomSubspace(gram, rank, options);
          const least = sum([...eigenvalues].sort((a, b) => a - b).slice(0, rank));
          const rounding = 1e-15 * eigenvalues.length * Math.max(...eigenvalues); // of making the matrix itself
          expect(await orthonormalityError(basisOf(found)), `rank ${rank}`).toBeLessThan(1e-10);
          expect(found.energy, `rank ${rank}`).toBeLessThan(1.001 * least + rounding);
          expect(found.energy, `rank ${rank}`).toBeGreaterThan(0.999 * least - rounding);
          expect(found.energy - least, "the reported excess covers the real one").toBeLessThan(found.energyExcess! + 1e-9 * least + rounding);
          expect(found.totalEnergy / sum(eigenvalues)).toBeCloseTo(1, 9);
        }
      });

      test("the space itself is the planted one where the spectrum has a gap", async () => {
        const eigenvalues = [...logSpaced(12, 1, 3), ...logSpaced(148, 4, 1e5)];
        const { gram, vectors } = await plantedGram(eigenvalues, 3);
        const planted = matrix(160, 12);
        for (let i = 0; i < 160; i++) planted.values.set(vectors.values.subarray(i * 160, i * 160 + 12), i * 12);
        const found = await bottomSubspace(gram, 12, options);
        expect(worstDifference((await projector(basisOf(found))).values, (await projector(planted)).values)).toBeLessThan(6e-4); // the angle asked for is 3e-4
        expect(found.nextRitzValue! / 4).toBeCloseTo(1, 6);
      });

      test("energy, Ritz values and basis belong together", async () => {
        const { gram } = await plantedGram(logSpaced(130, 1e-3, 1e4), 8);
        const found = await bottomSubspace(gram, 20, options);
        for (let r = 0; r < 20; r++) {
          let energy = 0;
          for (let i = 0; i < 130; i++) for (let j = 0; j < 130; j++) energy += found.basis[i * 20 + r]! * gram.values[i * 130 + j]! * found.basis[j * 20 + r]!;
          expect(energy / found.ritzValues[r]!, `direction ${r}`).toBeCloseTo(1, 7);
        }
        expect([...found.ritzValues]).toEqual([...found.ritzValues].sort((a, b) => a - b));
        expect(found.energy / sum([...found.ritzValues])).toBeCloseTo(1, 12);
      });
    });

    describe("on tokens", () => {
      test("directions that no token uses are found exactly", async () => {
        const { vectors } = await plantedGram(Array<number>(140).fill(1), 5);
        const tokens = normalMatrix(400, 140, 6); // every token is moved into the first 120 directions
        const used = transposed(vectors);
        const within = matrix(400, 140);
        for (let t = 0; t < 400; t++) {
          for (let d = 0; d < 120; d++) for (let i = 0; i < 140; i++) within.values[t * 140 + i] = within.values[t * 140 + i]! + tokens.values[t * 140 + d]! * used.values[d * 140 + i]!;
        }
        const unused = matrix(140, 20);
        for (let i = 0; i < 140; i++) unused.values.set(vectors.values.subarray(i * 140 + 120, i * 140 + 140), i * 20);
        const found = await bottomSubspace(await gramOf(within), 20, options);
        expect(found.energy).toBeLessThan(1e-12 * found.totalEnergy);
        expect(worstDifference((await projector(basisOf(found))).values, (await projector(unused)).values)).toBeLessThan(1e-7);
      });

      test("fewer tokens than directions: any unused directions, the same every time", async () => {
        const gram = await gramOf(normalMatrix(50, 150, 1));
        const [first, again] = [await bottomSubspace(gram, 16, options), await bottomSubspace(gram, 16, options)];
        expect(first.energy).toBeLessThan(1e-12 * first.totalEnergy);
        expect(await orthonormalityError(basisOf(first))).toBeLessThan(1e-10);
        expect(first.basis).toEqual(again.basis);
      });

      test("a rank beyond the unused directions goes on with the least used ones", async () => {
        const tokens = normalMatrix(300, 150, 4);
        for (let t = 0; t < 300; t++) for (let d = 0; d < 150; d++) tokens.values[t * 150 + d] = tokens.values[t * 150 + d]! * (d < 8 ? 0 : d < 20 ? 0.01 : 1);
        const found = await bottomSubspace(await gramOf(tokens), 20, options);
        expect(found.ritzValues[7]).toBeLessThan(1e-9 * found.totalEnergy);
        expect(found.ritzValues[8]).toBeGreaterThan(1e-7 * found.totalEnergy);
        expect(await orthonormalityError(basisOf(found))).toBeLessThan(1e-10);
        for (let d = 20; d < 150; d++) for (let r = 0; r < 20; r++) expect(Math.abs(found.basis[d * 20 + r]!)).toBeLessThan(0.01);
      });

      test("a massive-activation channel does not cost the quiet ones their digits", async () => {
        const tokens = normalMatrix(600, 128, 9);
        const plain = await bottomSubspace(await gramOf(tokens), 10, options);
        for (let t = 0; t < 600; t++) tokens.values[t * 128 + 77] = 3e4 * (1 + tokens.values[t * 128 + 77]! / 10); // as in layers 1 and 29
        const massive = await bottomSubspace(await gramOf(tokens), 10, options);
        expect(massive.totalEnergy).toBeGreaterThan(1e6 * plain.totalEnergy);
        for (let r = 0; r < 10; r++) expect(Math.abs(massive.basis[77 * 10 + r]!)).toBeLessThan(1e-3);
        expect(massive.energy / plain.energy).toBeGreaterThan(0.8);
        expect(massive.energy / plain.energy).toBeLessThan(1.25);
      });

      test("the order of the tokens does not matter", async () => {
        const tokens = normalMatrix(300, 120, 2);
        for (let i = 0; i < tokens.values.length; i++) tokens.values[i] = tokens.values[i]! * 10 ** ((i % 120) / 30);
        const reversed = matrix(300, 120);
        for (let t = 0; t < 300; t++) reversed.values.set(tokens.values.subarray((299 - t) * 120, (300 - t) * 120), t * 120);
        const [a, b] = [await bottomSubspace(await gramOf(tokens), 8, options), await bottomSubspace(await gramOf(reversed), 8, options)];
        expect(worstDifference((await projector(basisOf(a))).values, (await projector(basisOf(b))).values)).toBeLessThan(1e-6);
      });
    });

    describe("at the edges", () => {
      test("a zero matrix gives orthonormal directions without energy", async () => {
        const found = await bottomSubspace({ size: 70, values: new Float64Array(70 * 70) }, 5, options);
        expect(await orthonormalityError(basisOf(found))).toBeLessThan(1e-10);
        expect([found.energy, found.totalEnergy]).toEqual([0, 0]);
      });

      test("inputs that are always zero come first", async () => {
        const { gram } = await plantedGram(logSpaced(100, 1, 50), 1);
        for (const dead of [3, 64, 99]) for (let i = 0; i < 100; i++) gram.values[dead * 100 + i] = gram.values[i * 100 + dead] = 0;
        const found = await bottomSubspace(gram, 3, options);
        expect(found.energy).toBeLessThan(1e-12);
        for (let i = 0; i < 100; i++) {
          const length = Math.hypot(...found.basis.subarray(i * 3, i * 3 + 3));
          expect(length).toBeCloseTo([3, 64, 99].includes(i) ? 1 : 0, 6);
        }
      });

      test.each([1, 2, 7, 60])("a rank of at least D = %d gives the whole space", async (size) => {
        const { gram } = await plantedGram(logSpaced(size, 0.1, 10), 2);
        const found = await bottomSubspace(gram, size + 3, options);
        expect(found.rank).toBe(size);
        expect(found.nextRitzValue).toBeNull();
        expect(await orthonormalityError(basisOf(found))).toBeLessThan(1e-10);
        expect(found.energy / found.totalEnergy).toBeCloseTo(1, 9);
      });

      test.each([NaN, Infinity])("a Gram that holds %d is refused by name", async (value) => {
        const { gram } = await plantedGram(logSpaced(60, 1, 2), 2);
        gram.values[17] = value;
        const attempt = bottomSubspace(gram, 4, { ...options, name: "layer 3, mlp" });
        await expect(attempt).rejects.toThrow(UserError);
        await expect(attempt).rejects.toThrow(/layer 3, mlp holds NaN or infinite values/);
      });

      test("a matrix with negative eigenvalues is refused", async () => {
        const { gram } = await plantedGram([-5, ...logSpaced(99, 1, 2)], 2);
        await expect(bottomSubspace(gram, 4, options)).rejects.toThrow(UserError);
      });

      test("stops when asked to", async () => {
        const { gram } = await plantedGram(logSpaced(100, 1, 2), 2);
        await expect(bottomSubspace(gram, 4, { ...options, signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
      });
    });

    test("the same seed gives the same bits, another seed the same space", async () => {
      const { gram } = await plantedGram(logSpaced(140, 1e-3, 1e5), 21);
      const [a, again, b] = [await bottomSubspace(gram, 12, options), await bottomSubspace(gram, 12, options), await bottomSubspace(gram, 12, { kernels, seed: 77 })];
      expect(a.basis).toEqual(again.basis);
      expect(worstDifference((await projector(basisOf(a))).values, (await projector(basisOf(b))).values)).toBeLessThan(6e-4); // 3e-4 from either side
    });
  });
}

describe("on wider spectra, by the runtime's products", () => {
  const wide: { name: string; eigenvalues: number[] }[] = [
    { name: "a real layer's ten orders", eigenvalues: [...realisticSpectrum(600)] },
    { name: "flat, so that the space is restarted", eigenvalues: logSpaced(600, 1, 20) },
    { name: "steep", eigenvalues: logSpaced(600, 2e-5, 2e5) },
    { name: "two empty directions", eigenvalues: [1e-6, 8e-5, ...logSpaced(598, 1.2, 4e3)] },
    { name: "a hundred equal values , more than a narrow block finds", eigenvalues: [...Array<number>(100).fill(1), ...logSpaced(500, 2, 40)] },
    { name: "a hundred inputs that are always zero", eigenvalues: [...Array<number>(100).fill(0), ...logSpaced(500, 1, 1e3)] },
  ];
  test.each(wide)("$name: energy within 1e-6 of the least, and within the reported bound however early it stops", async ({ eigenvalues }) => {
    const kernels = await openDenseKernels({ threads: 1 });
    const { gram } = await plantedGram(eigenvalues, 5);
    const rounding = 1e-15 * eigenvalues.length * Math.max(...eigenvalues);
    for (const rank of [16, 80]) {
      const least = sum([...eigenvalues].sort((a, b) => a - b).slice(0, rank));
      const found = await bottomSubspace(gram, rank, { kernels, seed: 1 });
      expect(found.energy, `rank ${rank}`).toBeLessThan(least * (1 + 1e-6) + rounding);
      expect(await orthonormalityError(basisOf(found))).toBeLessThan(1e-10);
      for (const angleTolerance of [1, 0.1]) {
        const early = await bottomSubspace(gram, rank, { kernels, seed: 1, angleTolerance });
        expect(early.energy - least, `rank ${rank}, angle ${angleTolerance}`).toBeLessThan(early.energyExcess! + rounding);
      }
    }
    await kernels.release();
  });
});

test("the runtime's products give what the plain ones give", async () => {
  const { gram } = await plantedGram(logSpaced(200, 1e-4, 1e5), 4);
  const fast = await openDenseKernels({ threads: 1 });
  const [a, b] = [await bottomSubspace(gram, 24, { kernels: plainKernels, seed: 0 }), await bottomSubspace(gram, 24, { kernels: fast, seed: 0 })];
  await fast.release();
  expect(relativeError(b.ritzValues, a.ritzValues)).toBeLessThan(1e-7);
  expect(worstDifference((await projector(basisOf(a))).values, (await projector(basisOf(b))).values)).toBeLessThan(1e-5);
});
