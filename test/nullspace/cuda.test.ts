// The CUDA helper on a stand-in for its libraries: order of calls, sizes, layout, memory, failures. basis.test.ts runs the
// solver itself on the same stand-in, and on a real device where there is one.

import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { UserError } from "../../native-models/errors.ts";
import { bottomSubspace } from "../../native-models/nullspace/basis.ts";
import { factorize } from "../../native-models/nullspace/factor.ts";
import { matrix, plainKernels, product, type Matrix } from "../../native-models/nullspace/kernels.ts";
import { openCudaDevice } from "../../native-models/runtime/cuda-factor.ts";
import { findCuda, libraryFiles, type CudaFunctions } from "../../native-models/runtime/cuda-libraries.ts";
import { solverLine, withDevice } from "../../native-models/runtime/solver-kernels.ts";
import { fakeCuda, type FakeCuda } from "./fake-cuda.ts";
import { logSpaced, normalMatrix, plantedGram, relativeError, worstDifference } from "./synthetic.ts";

async function gramOfSize(size: number): Promise<Matrix> {
  const { gram } = await plantedGram(logSpaced(size, 1e-2, 1e3), 4);
  return { rows: size, cols: size, values: gram.values };
}

function opened(cuda: FakeCuda): { kernels: typeof plainKernels; notes: string[]; release(): void } {
  const notes: string[] = [];
  const device = openCudaDevice(cuda);
  return { kernels: withDevice(plainKernels, device, { leastSize: 1, onNote: (line) => notes.push(line) }), notes, release: () => device.release() };
}

describe("the factor", () => {
  test("solves as the CPU's does, whole and by halves, for blocks of several widths", async () => {
    const gram = await gramOfSize(90);
    const device = openCudaDevice(fakeCuda());
    const [ours, theirs] = [(await factorize(gram, 0.5, plainKernels))!, device.factorize(gram, 0.5)!];
    for (const width of [1, 7, 130]) {
      for (const solve of ["solve", "solveLower", "solveUpper"] as const) {
        const block = normalMatrix(90, width, width);
        const [a, b] = [{ ...block, values: block.values.slice() }, { ...block, values: block.values.slice() }];
        await ours[solve](a);
        await theirs[solve](b);
        expect(relativeError(b.values, a.values), `${solve}, ${width} columns`).toBeLessThan(1e-11);
      }
    }
    device.release();
  });

  test("a Gram of several slabs arrives whole, with µ on its diagonal only", async () => {
    const size = 1500; // slabs of 1398 rows
    const gram = matrix(size, size);
    for (let i = 0; i < size; i++) gram.values[i * size + i] = 1 + i;
    gram.values[1 * size + 0] = gram.values[0 * size + 1] = 0.5;
    const device = openCudaDevice(fakeSolvesOnly());
    const seen = uploaded;
    seen.length = 0;
    device.factorize(gram, 0.25);
    expect(seen.map(({ values }) => values.length / size)).toEqual([1398, 102]);
    expect(seen[1]!.offset).toBe(BigInt(8 * 1398 * size));
    const whole = Float64Array.from(seen.flatMap(({ values }) => [...values]));
    for (let i = 0; i < size; i++) whole[i * size + i] = whole[i * size + i]! - 0.25;
    expect(worstDifference(whole, gram.values)).toBeLessThan(1e-12);
  });

  test("asks for the workspace before it factors, and gives it back at once", async () => {
    const cuda = fakeCuda();
    const device = openCudaDevice(cuda);
    cuda.calls.length = 0;
    const factor = device.factorize(await gramOfSize(60), 0)!;
    expect(cuda.calls).toEqual([
      "cudaMemGetInfo", "cudaMalloc", "copyToDevice", "cusolverDnDpotrf_bufferSize", "cudaMemGetInfo",
      "cudaMalloc", "cudaMalloc", "cusolverDnDpotrf", "copyToHost", "cudaFree", "cudaFree",
    ]);
    expect(cuda.heldBytes()).toBe(8 * 60 * 60);
    factor.release();
    factor.release(); // a second time does nothing
    expect(cuda.heldBytes()).toBe(0);
    device.release();
    expect(cuda.liveHandles()).toBe(0);
  });

  test("a matrix that is not positive gives null and holds nothing", async () => {
    const cuda = fakeCuda();
    const { gram } = await plantedGram([-5, ...logSpaced(59, 1, 2)], 2);
    expect(openCudaDevice(cuda).factorize({ rows: 60, cols: 60, values: gram.values }, 0)).toBeNull();
    expect(cuda.heldBytes()).toBe(0);
  });
});

const uploaded: { offset: bigint; values: Float64Array }[] = [];
/** No arithmetic: what is uploaded to the first allocation. */
function fakeSolvesOnly(): CudaFunctions {
  const cuda = fakeCuda();
  let base: bigint | null = null;
  return {
    ...cuda,
    copyToDevice(to, from, bytes, kind) {
      base ??= to;
      uploaded.push({ offset: to - base, values: from.slice() });
      return cuda.copyToDevice(to, from, bytes, kind);
    },
    cusolverDnDpotrf: () => 0,
  };
}

describe("when the device fails", () => {
  const steps: { call: keyof CudaFunctions; nth: number; status: number; words: RegExp }[] = [
    { call: "cudaMemGetInfo", nth: 0, status: 700, words: /cudaMemGetInfo gave status 700: an illegal memory access/ },
    { call: "cudaMalloc", nth: 0, status: 2, words: /cudaMalloc gave status 2: out of memory/ },
    { call: "cudaMalloc", nth: 1, status: 2, words: /out of memory/ },
    { call: "cudaMalloc", nth: 2, status: 2, words: /out of memory/ },
    { call: "copyToDevice", nth: 0, status: 1, words: /cudaMemcpy gave status 1: invalid argument/ },
    { call: "cusolverDnDpotrf_bufferSize", nth: 0, status: 3, words: /status 3: invalid value/ },
    { call: "cusolverDnDpotrf", nth: 0, status: 7, words: /cusolverDnDpotrf gave status 7: internal error/ },
    { call: "copyToHost", nth: 0, status: 700, words: /illegal memory access/ },
    { call: "cublasDtrsm", nth: 0, status: 13, words: /cublasDtrsm gave status 13: execution failed/ },
    { call: "cublasDtrsm", nth: 5, status: 13, words: /execution failed/ },
    { call: "copyToHost", nth: 4, status: 700, words: /illegal memory access/ },
  ];
  test.each(steps)("$call ($nth) with $status: the CPU gives the same basis, the note says why, nothing is held", async ({ call, nth, status, words }) => {
    const { gram } = await plantedGram(logSpaced(120, 1e-3, 1e4), 8);
    const cuda = fakeCuda();
    const { kernels, notes, release } = opened(cuda);
    cuda.fail(call, status, nth);
    const [found, expected] = [await bottomSubspace(gram, 8, { kernels, seed: 0 }), await bottomSubspace(gram, 8, { kernels: plainKernels, seed: 0 })];
    expect(relativeError(found.ritzValues, expected.ritzValues)).toBeLessThan(1e-6);
    expect(notes).toHaveLength(1);
    expect(notes[0]).toMatch(/^solver: CPU instead \(/);
    expect(notes[0]).toMatch(words);
    expect(cuda.heldBytes()).toBe(0);
    release();
    expect(cuda.liveHandles()).toBe(0);
  });

  test("a Gram that does not fit is not allocated; the next smaller one is", async () => {
    const cuda = fakeCuda({ memoryBytes: 64 * 2 ** 20 + 150_000 });
    const { kernels, notes } = opened(cuda);
    (await factorize(await gramOfSize(200), 1, kernels))!.release(); // 320 000 bytes
    expect(notes).toEqual([expect.stringMatching(/A Gram of 200 needs 65 MiB on the GPU and 65 MiB are free/)]);
    expect(cuda.mostBytes()).toBe(0);
    (await factorize(await gramOfSize(60), 1, kernels))!.release();
    expect(cuda.mostBytes()).toBeGreaterThan(8 * 60 * 60);
    expect(notes).toHaveLength(1);
  });

  test("after an error of execution the device is left alone", async () => {
    const cuda = fakeCuda();
    const { kernels } = opened(cuda);
    cuda.fail("cusolverDnDpotrf", 6);
    await factorize(await gramOfSize(60), 1, kernels);
    cuda.calls.length = 0;
    await factorize(await gramOfSize(60), 1, kernels);
    expect(cuda.calls).toEqual([]);
  });

  test("a wrong answer is found out", async () => {
    const cuda = fakeCuda();
    const { kernels, notes } = opened({ ...cuda, cublasDtrsm: () => 0 });
    const block = normalMatrix(60, 2, 1);
    const gram = await gramOfSize(60);
    const solved = { ...block, values: block.values.slice() };
    await (await factorize(gram, 0, kernels))!.solve(solved);
    expect(worstDifference((await product(plainKernels, gram, solved)).values, block.values)).toBeLessThan(1e-8);
    expect(notes).toEqual([expect.stringMatching(/A solve on the GPU left a residual of/)]);
    expect(cuda.heldBytes()).toBe(0);
  });

  test("a handle that cannot be made is a UserError, and the other one is given back", () => {
    const cuda = fakeCuda();
    cuda.fail("cusolverDnCreate", 1);
    expect(() => openCudaDevice(cuda)).toThrow(UserError);
    expect(cuda.liveHandles()).toBe(0);
  });
});

describe("finding the libraries", () => {
  test("by their usual names for CUDA 12 and 13, the system's search first", () => {
    expect(libraryFiles("cusolver", 12, "linux", {})[0]).toBe("libcusolver.so.12");
    expect(libraryFiles("cublas", 13, "linux", { CUDA_HOME: "/opt/cuda" })).toEqual(["libcublas.so.13", "/opt/cuda/lib64/libcublas.so.13", "/usr/local/cuda/lib64/libcublas.so.13"]);
    expect(libraryFiles("cudart", 12, "win32", {})).toEqual(["cudart64_12.dll"]);
    expect(libraryFiles("cusolver", 11, "win32", { CUDA_PATH: "C" })).toHaveLength(3);
  });

  test("one line says which solver is at work", async () => {
    expect(await solverLine(async () => ({ functions: null, reason: "no CUDA libraries found" }))).toBe("solver: CPU (no CUDA libraries found)");
    expect(await solverLine(async () => ({ functions: fakeCuda(), version: 13 }))).toBe("solver: CUDA 13 for inputs of 1024 and more, CPU for the rest");
    if (!existsSync("/dev/nvidiactl")) expect((await findCuda()).functions).toBeNull();
  });
});
