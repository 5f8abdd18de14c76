// Cholesky factor of G + µI on a CUDA device: what nullspace/factor.ts gives, by cuSOLVER and cuBLAS.
// In: a Gram [D,D] and µ. Out: a Factor whose solves run on the device. Cost there: 8·(D² + D·W) bytes and cuSOLVER's
// workspace; over the bus G once, and a block [D,W] there and back a solve.
//
// Why Cholesky and not cusolverDnDsyevdx: D³/3 flops, nearly all in products, where reducing to tridiagonal form takes
// 4·D³/3, half of them bound by memory; the error of a factor follows the scale of each row, so that massive channels cost
// the quiet ones no digits, where syevdx is exact to ε·‖G‖ only; and iteration, stopping rule and bound stay those of
// nullspace/basis.ts. The factor and its ten or so solves are nine tenths of the solver's flops; the rest stays on the CPU.
//
// Layout: G is symmetric, so row-major is column-major. A row-major block [D,W] is Bᵀ [W,D] in column-major order, and
// Y = L⁻¹B is Yᵀ = Bᵀ·L⁻ᵀ: a solve from the right with Lᵀ, without a transposition.
// Never run on hardware (see cuda-libraries.ts); each factor is therefore tried on a known vector before it is used.

import { UserError } from "../errors.ts";
import type { Factor } from "../nullspace/factor.ts";
import type { Matrix } from "../nullspace/kernels.ts";
import { blas, type CudaFunctions } from "./cuda-libraries.ts";

/** A call that failed, with the library's own words. `isMemory`: this matrix does not fit, a smaller one may. */
export class CudaError extends UserError {
  readonly isMemory: boolean;

  constructor(what: string, isMemory: boolean) {
    super({ what, where: "CUDA", fix: isMemory ? "Close other programs that use the GPU." : "Update the NVIDIA driver, or set NULLSPACE_SOLVER=cpu." });
    this.isMemory = isMemory;
  }
}

export interface CudaDevice {
  /** Factor of G + µI, or null when that is not positive definite. Throws CudaError. */
  factorize(gram: Matrix, shift: number, signal?: AbortSignal): Factor | null;
  release(): void;
}

const reserveBytes = 64 * 2 ** 20; // cuBLAS's own workspace and what the driver rounds up
const slabElements = 2 ** 21;

export function openCudaDevice(cuda: CudaFunctions): CudaDevice {
  const live = new Set<bigint>();
  const allocate = (bytes: number): bigint => {
    const address = new BigUint64Array(1);
    check(cuda, "cudaMalloc", cuda.cudaMalloc(address, bytes));
    live.add(address[0]!);
    return address[0]!;
  };
  const free = (address: bigint): void => {
    if (live.delete(address)) cuda.cudaFree(address); // nothing is left to do where freeing fails
  };
  const blasHandle = handleOf(cuda, "cublasCreate");
  let solverHandle: bigint;
  try {
    solverHandle = handleOf(cuda, "cusolverDnCreate");
  } catch (error) {
    cuda.cublasDestroy(blasHandle);
    throw error;
  }

  function requireMemory(bytes: number, size: number): void {
    const [freeBytes, totalBytes] = [new BigUint64Array(1), new BigUint64Array(1)];
    check(cuda, "cudaMemGetInfo", cuda.cudaMemGetInfo(freeBytes, totalBytes));
    if (Number(freeBytes[0]) >= bytes + reserveBytes) return;
    const mib = (value: number): string => `${Math.ceil(value / 2 ** 20)} MiB`;
    throw new CudaError(`A Gram of ${size} needs ${mib(bytes + reserveBytes)} on the GPU and ${mib(Number(freeBytes[0]))} are free.`, true);
  }

  function upload(gram: Matrix, shift: number, to: bigint): void {
    const { rows: size, values } = gram;
    const slabRows = Math.max(1, Math.min(size, Math.floor(slabElements / size)));
    const slab = new Float64Array(slabRows * size);
    for (let from = 0; from < size; from += slabRows) {
      const part = slab.subarray(0, (Math.min(from + slabRows, size) - from) * size);
      part.set(values.subarray(from * size, from * size + part.length));
      for (let row = 0; row * size < part.length; row++) part[row * size + from + row] = part[row * size + from + row]! + shift;
      check(cuda, "cudaMemcpy", cuda.copyToDevice(to + BigInt(8 * from * size), part, part.byteLength, 1));
    }
  }

  /** Lower triangle at `a` ← Cholesky factor; false where the matrix is not positive. */
  function decompose(a: bigint, size: number): boolean {
    const elements = new Int32Array(1);
    check(cuda, "cusolverDnDpotrf_bufferSize", cuda.cusolverDnDpotrf_bufferSize(solverHandle, blas.lower, size, a, size, elements));
    requireMemory(8 * elements[0]!, size);
    const taken: bigint[] = [];
    try {
      const [work, info] = [8 * Math.max(1, elements[0]!), 4].map((bytes) => (taken.push(allocate(bytes)), taken.at(-1)!)) as [bigint, bigint];
      check(cuda, "cusolverDnDpotrf", cuda.cusolverDnDpotrf(solverHandle, blas.lower, size, a, size, work, elements[0]!, info));
      const order = new Int32Array(1);
      check(cuda, "cudaMemcpy", cuda.copyToHost(order, info, 4, 2));
      if (order[0]! < 0) throw new CudaError(`cusolverDnDpotrf refused its argument ${-order[0]!}.`, false);
      return order[0] === 0;
    } finally {
      taken.forEach(free);
    }
  }

  function factorOf(size: number, shift: number, a: bigint): Factor {
    let room: { address: bigint; elements: number } | null = null;
    const one = Float64Array.of(1);
    function solveWith(block: Matrix, ops: readonly number[]): void {
      const { cols, values } = block;
      if (room && room.elements < values.length) room = (free(room.address), null);
      room ??= { address: allocate(values.byteLength), elements: values.length };
      check(cuda, "cudaMemcpy", cuda.copyToDevice(room.address, values, values.byteLength, 1));
      for (const op of ops) check(cuda, "cublasDtrsm", cuda.cublasDtrsm(blasHandle, blas.right, blas.lower, op, blas.nonUnit, cols, size, one, a, size, room.address, cols));
      const solved = new Float64Array(values.length); // the block stays whole where this copy fails
      check(cuda, "cudaMemcpy", cuda.copyToHost(solved, room.address, solved.byteLength, 2));
      values.set(solved);
    }
    return {
      size,
      shift,
      solve: async (block) => solveWith(block, [blas.transposed, blas.plain]),
      solveLower: async (block) => solveWith(block, [blas.transposed]),
      solveUpper: async (block) => solveWith(block, [blas.plain]),
      release() {
        free(a);
        if (room) free(room.address);
        room = null;
      },
    };
  }

  return {
    factorize(gram, shift, signal) {
      const size = gram.rows;
      signal?.throwIfAborted();
      requireMemory(8 * size * size, size);
      const a = allocate(8 * size * size);
      try {
        upload(gram, shift, a);
        if (decompose(a, size)) return factorOf(size, shift, a);
      } catch (error) {
        free(a);
        throw error;
      }
      free(a);
      return null;
    },
    release() {
      for (const address of [...live]) free(address);
      cuda.cusolverDnDestroy(solverHandle);
      cuda.cublasDestroy(blasHandle);
    },
  };
}

function handleOf(cuda: CudaFunctions, create: "cublasCreate" | "cusolverDnCreate"): bigint {
  const handle = new BigUint64Array(1);
  check(cuda, create, cuda[create](handle));
  return handle[0]!;
}

/** Statuses of cublasStatus_t and cusolverStatus_t, which count apart. */
const statusWords: Record<"cublas" | "cusolver", Record<number, string>> = {
  cublas: { 1: "not initialised", 3: "allocation failed", 7: "invalid value", 8: "architecture mismatch", 11: "mapping error", 13: "execution failed", 14: "internal error", 15: "not supported", 16: "licence error" },
  cusolver: { 1: "not initialised", 2: "allocation failed", 3: "invalid value", 4: "architecture mismatch", 5: "mapping error", 6: "execution failed", 7: "internal error", 8: "matrix type not supported", 9: "not supported" },
};

function check(cuda: CudaFunctions, call: string, status: number): void {
  if (status === 0) return;
  const library = call.startsWith("cublas") ? "cublas" : call.startsWith("cusolver") ? "cusolver" : null;
  const words = library ? (statusWords[library][status] ?? "unknown status") : cuda.cudaGetErrorString(status);
  const isMemory = status === (library === "cublas" ? 3 : 2); // cudaErrorMemoryAllocation and CUSOLVER_STATUS_ALLOC_FAILED are 2
  throw new CudaError(`${call} gave status ${status}: ${words}.`, isMemory);
}
