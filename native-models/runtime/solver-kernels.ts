// The solver's arithmetic on the fastest thing at hand: factors of large Grams on a CUDA device where there is one, all
// else, and all of it where a call on the device fails, by ONNX Runtime on the CPU.
// In: threads. Out: kernels for bottomSubspace and the starts; `onNote` gets a line when the CPU has to step in.

import { factorize, type Factor } from "../nullspace/factor.ts";
import { matrix, product, type DenseKernels, type Matrix } from "../nullspace/kernels.ts";
import { CudaError, openCudaDevice, type CudaDevice } from "./cuda-factor.ts";
import { findCuda, type FoundCuda } from "./cuda-libraries.ts";
import { openDenseKernels, type RuntimeKernels } from "./dense-kernels.ts";

export interface SolverOptions {
  threads: number;
  onNote?(line: string): void;
}

/** Below, a factor on the CPU takes a few hundredths of a second and the way to the device is not worth it (estimated). */
const leastDeviceSize = 1024;

/** "solver: CPU (no CUDA libraries found)". */
export async function solverLine(search: () => Promise<FoundCuda> = findCuda): Promise<string> {
  const found = await search();
  return found.functions ? `solver: CUDA ${found.version} for inputs of ${leastDeviceSize} and more, CPU for the rest` : `solver: CPU (${found.reason})`;
}

export async function openSolverKernels({ threads, onNote = () => {} }: SolverOptions): Promise<RuntimeKernels> {
  const cpu = await openDenseKernels({ threads });
  const { functions } = await findCuda();
  if (!functions) return cpu;
  try {
    const device = openCudaDevice(functions);
    return {
      ...withDevice(cpu, device, { leastSize: leastDeviceSize, onNote }),
      async release() {
        device.release();
        await cpu.release();
      },
    };
  } catch (error) {
    onNote(noteOf(error));
    return cpu;
  }
}

/** `cpu` with factors of `leastSize` and more made on the device. What fails there is done again on the CPU. */
export function withDevice(cpu: DenseKernels, device: CudaDevice, { leastSize, onNote }: { leastSize: number; onNote(line: string): void }): DenseKernels {
  let isLost = false;
  const stepIn = (error: unknown): void => {
    const note = noteOf(error);
    if (!(error as CudaError).isMemory) isLost = true; // CUDA keeps an error of execution for the rest of the process
    onNote(note);
  };
  return {
    multiply: (a, b, out, options) => cpu.multiply(a, b, out, options),
    async factorize(gram, shift, signal) {
      if (isLost || gram.rows < leastSize) return factorize(gram, shift, cpu, signal);
      let made: Factor | null = null;
      try {
        made = device.factorize(gram, shift, signal);
        if (made) await requireRight(made, gram, cpu);
        return made && steady(made, () => factorize(gram, shift, cpu, signal), stepIn);
      } catch (error) {
        made?.release();
        stepIn(error);
        return factorize(gram, shift, cpu, signal);
      }
    },
  };
}

/** The factor, and the CPU's from the solve on that fails. */
function steady(first: Factor, again: () => Promise<Factor | null>, stepIn: (error: unknown) => void): Factor {
  let factor = first;
  const either = (solve: "solve" | "solveLower" | "solveUpper") => async (block: Matrix): Promise<void> => {
    try {
      await factor[solve](block);
    } catch (error) {
      if (factor !== first) throw error;
      stepIn(error);
      first.release();
      const other = await again();
      if (!other) throw error;
      factor = other;
      await factor[solve](block);
    }
  };
  return { size: first.size, shift: first.shift, solve: either("solve"), solveLower: either("solveLower"), solveUpper: either("solveUpper"), release: () => factor.release() };
}

/** (G + µI)·x must give back b: the backward error of one solve, near 1e-10 of tr(G) + D·|µ| at D = 4096 at the most. */
async function requireRight(factor: Factor, gram: Matrix, cpu: DenseKernels): Promise<void> {
  const { size, shift } = factor;
  const b = matrix(size, 1);
  for (let i = 0; i < size; i++) b.values[i] = i % 3 === 0 ? -1 : 1;
  const x = { ...b, values: Float64Array.from(b.values) };
  await factor.solve(x);
  const image = await product(cpu, gram, x);
  let [residual, scale, length] = [0, 0, 0];
  for (let i = 0; i < size; i++) {
    residual += (image.values[i]! + shift * x.values[i]! - b.values[i]!) ** 2;
    scale += gram.values[i * size + i]! + Math.abs(shift);
    length += x.values[i]! ** 2;
  }
  const bound = 100 * size * Number.EPSILON * scale * Math.sqrt(length) + 1e-9 * Math.sqrt(size);
  if (!(Math.sqrt(residual) <= bound)) throw new CudaError(`A solve on the GPU left a residual of ${Math.sqrt(residual).toExponential(1)}, where ${bound.toExponential(1)} is the most.`, false);
}

/** Only what the device reports is met by the CPU; a bug or a wish to stop goes on. */
function noteOf(error: unknown): string {
  if (!(error instanceof CudaError)) throw error;
  return `solver: CPU instead (${error.what})`;
}
