// The few functions of CUDA that the null-space solver calls, loaded from the libraries of an installed CUDA 12 or 13.
// In: nothing but the machine. Out: plain functions (cuda-factor.ts puts them in order), or a line saying why there are none.
//
// NEVER RUN ON HARDWARE: no machine with a GPU was at hand. Signatures and values are those of NVIDIA's references
// (docs.nvidia.com/cuda: cuda-runtime-api "Memory Management", cublas "cublas<t>trsm", cusolver "cusolverDn<t>potrf" and
// "cuSolverDN Types"); the order of calls, sizes and layouts are tested on a stand-in for `CudaFunctions`.
//
// Device addresses and handles are 64-bit integers here: a pointer and a uint64_t are passed alike by every 64-bit ABI,
// and a device address must never be read on the host. Host memory goes as a typed array, which koffi passes in place.

import { existsSync } from "node:fs";
import { join } from "node:path";

/** Each gives a status; 0 is success. Named as in C, `_v2` left out. Matrices are column-major with a leading dimension. */
export interface CudaFunctions {
  cudaGetDeviceCount(count: Int32Array): number;
  cudaMemGetInfo(freeBytes: BigUint64Array, totalBytes: BigUint64Array): number;
  cudaMalloc(address: BigUint64Array, bytes: number): number;
  cudaFree(address: bigint): number;
  /** cudaMemcpy with cudaMemcpyHostToDevice. */
  copyToDevice(to: bigint, from: Float64Array, bytes: number, kind: 1): number;
  /** cudaMemcpy with cudaMemcpyDeviceToHost; waits for the work before it. */
  copyToHost(to: Float64Array | Int32Array, from: bigint, bytes: number, kind: 2): number;
  cudaGetErrorString(status: number): string;
  cublasCreate(handle: BigUint64Array): number;
  cublasDestroy(handle: bigint): number;
  /** B [m,n] ← α·B·op(A)⁻¹ for side 1 (right), A [n,n] triangular. */
  cublasDtrsm(handle: bigint, side: number, fill: number, op: number, diagonal: number, m: number, n: number, alpha: Float64Array, a: bigint, lda: number, b: bigint, ldb: number): number;
  cusolverDnCreate(handle: BigUint64Array): number;
  cusolverDnDestroy(handle: bigint): number;
  /** Workspace in float64 elements, not bytes. */
  cusolverDnDpotrf_bufferSize(handle: bigint, fill: number, n: number, a: bigint, lda: number, elements: Int32Array): number;
  /** A's triangle ← its Cholesky factor. `info` is on the device: 0, or the order of the first minor that is not positive. */
  cusolverDnDpotrf(handle: bigint, fill: number, n: number, a: bigint, lda: number, work: bigint, elements: number, info: bigint): number;
}

/** Values of cublasSideMode_t, cublasFillMode_t, cublasOperation_t and cublasDiagType_t. */
export const blas = { right: 1, lower: 0, plain: 0, transposed: 1, nonUnit: 0 } as const;

type Library = "cudart" | "cublas" | "cusolver";

const signatures: Record<keyof CudaFunctions, [Library, symbol: string, result: string, ...parameters: string[]]> = {
  cudaGetDeviceCount: ["cudart", "cudaGetDeviceCount", "int", "void *"],
  cudaMemGetInfo: ["cudart", "cudaMemGetInfo", "int", "void *", "void *"],
  cudaMalloc: ["cudart", "cudaMalloc", "int", "void *", "size_t"],
  cudaFree: ["cudart", "cudaFree", "int", "uint64_t"],
  copyToDevice: ["cudart", "cudaMemcpy", "int", "uint64_t", "void *", "size_t", "int"],
  copyToHost: ["cudart", "cudaMemcpy", "int", "void *", "uint64_t", "size_t", "int"],
  cudaGetErrorString: ["cudart", "cudaGetErrorString", "const char *", "int"],
  cublasCreate: ["cublas", "cublasCreate_v2", "int", "void *"],
  cublasDestroy: ["cublas", "cublasDestroy_v2", "int", "uint64_t"],
  cublasDtrsm: ["cublas", "cublasDtrsm_v2", "int", "uint64_t", "int", "int", "int", "int", "int", "int", "void *", "uint64_t", "int", "uint64_t", "int"],
  cusolverDnCreate: ["cusolver", "cusolverDnCreate", "int", "void *"],
  cusolverDnDestroy: ["cusolver", "cusolverDnDestroy", "int", "uint64_t"],
  cusolverDnDpotrf_bufferSize: ["cusolver", "cusolverDnDpotrf_bufferSize", "int", "uint64_t", "int", "int", "uint64_t", "int", "void *"],
  cusolverDnDpotrf: ["cusolver", "cusolverDnDpotrf", "int", "uint64_t", "int", "int", "uint64_t", "int", "uint64_t", "int", "uint64_t"],
};

/** Major versions in the libraries' names: cuSOLVER counts one behind the toolkit. */
const toolkits: readonly ({ version: number } & Record<Library, number>)[] = [
  { version: 13, cudart: 13, cublas: 13, cusolver: 12 },
  { version: 12, cudart: 12, cublas: 12, cusolver: 11 },
];

export type FoundCuda = { functions: CudaFunctions; version: number } | { functions: null; reason: string };

/** The functions of the newest CUDA on this machine that has a device. Loads a library at the first call only. */
export function findCuda(): Promise<FoundCuda> {
  return (found ??= searchForCuda());
}
let found: Promise<FoundCuda> | null = null;

async function searchForCuda(): Promise<FoundCuda> {
  if (process.env["NULLSPACE_SOLVER"] === "cpu") return { functions: null, reason: "asked for by NULLSPACE_SOLVER" };
  if (process.platform !== "linux" && process.platform !== "win32") return { functions: null, reason: `no CUDA on ${process.platform}` };
  let reason = "no CUDA libraries found";
  for (const toolkit of toolkits) {
    const functions = await load(toolkit);
    if (!functions) continue;
    const count = new Int32Array(1);
    const status = functions.cudaGetDeviceCount(count);
    if (status === 0 && count[0]! > 0) return { functions, version: toolkit.version };
    reason = status === 0 ? `CUDA ${toolkit.version} sees no device` : `CUDA ${toolkit.version}: ${functions.cudaGetErrorString(status)}`;
  }
  return { functions: null, reason };
}

/** The file names under which a toolkit's library is looked for, the system's own search first. */
export function libraryFiles(library: Library, major: number, platform: NodeJS.Platform, environment: NodeJS.ProcessEnv): string[] {
  const name = platform === "win32" ? `${library}64_${major}.dll` : `lib${library}.so.${major}`;
  const roots = [environment["CUDA_PATH"], environment["CUDA_HOME"], ...(platform === "win32" ? [] : ["/usr/local/cuda"])];
  const folders = platform === "win32" ? ["bin", join("bin", "x64")] : ["lib64"]; // CUDA 13 moved its DLLs to bin\x64
  return [name, ...roots.flatMap((root) => (root ? folders.map((folder) => join(root, folder, name)) : []))];
}

async function load(toolkit: (typeof toolkits)[number]): Promise<CudaFunctions | null> {
  try {
    const koffi = (await import("koffi")).default;
    const open = (library: Library) => {
      const [name, ...paths] = libraryFiles(library, toolkit[library], process.platform, process.env);
      try {
        return koffi.load(name!);
      } catch (error) {
        const path = paths.find((each) => existsSync(each));
        if (path === undefined) throw error;
        return koffi.load(path);
      }
    };
    const libraries = { cudart: open("cudart"), cublas: open("cublas"), cusolver: open("cusolver") };
    const bound = Object.entries(signatures).map(([name, [library, symbol, result, ...parameters]]) => [name, libraries[library].func(symbol, result, parameters)]);
    return Object.fromEntries(bound) as CudaFunctions;
  } catch {
    return null; // not installed, or without one of the functions: the next toolkit, or the CPU
  }
}
