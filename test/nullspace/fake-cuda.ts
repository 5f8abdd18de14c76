// A stand-in for CUDA's libraries: device memory that only its own calls reach, column-major arithmetic by definition,
// and a record of the calls. It refuses what the references forbid: a stale address, a range past its allocation, a wrong
// handle, a workspace of another size, a leading dimension below the rows. It shows that the calls are put together
// rightly; it cannot show that a GPU takes them.

import { blas, type CudaFunctions } from "../../native-models/runtime/cuda-libraries.ts";

export interface FakeCuda extends CudaFunctions {
  calls: string[];
  /** Bytes held on the device now, and at most. */
  heldBytes(): number;
  mostBytes(): number;
  liveHandles(): number;
  /** Status that the n-th call (from 0) of a function gives instead of running. */
  fail(call: keyof CudaFunctions, status: number, nth?: number): void;
}

const blasHandle = 0xb1a5n;
const solverHandle = 0x501fn;
const invalid = { cuda: 1, cublas: 7, cusolver: 3 };

export function fakeCuda({ memoryBytes = 2 ** 32 }: { memoryBytes?: number } = {}): FakeCuda {
  const allocations = new Map<bigint, ArrayBuffer>();
  const failures: { call: string; status: number; left: number }[] = [];
  const handles = new Set<bigint>();
  const calls: string[] = [];
  let next = 0x7f00_0000_0000n;
  let most = 0;
  const held = (): number => [...allocations.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);

  /** The memory at an address inside an allocation, to its end; null where nothing is. */
  function at(address: bigint, bytes: number): { buffer: ArrayBuffer; offset: number } | null {
    for (const [base, buffer] of allocations) {
      const offset = Number(address - base);
      if (offset >= 0 && offset + bytes <= buffer.byteLength) return { buffer, offset };
    }
    return null;
  }
  const doubles = (address: bigint, count: number): Float64Array | null => {
    const place = at(address, 8 * count);
    return place && new Float64Array(place.buffer, place.offset, count);
  };
  const workspaceOf = (n: number): number => 32 * n + 7;

  const functions: CudaFunctions = {
    cudaGetDeviceCount: (count) => ((count[0] = 1), 0),
    cudaMemGetInfo(free, total) {
      [free[0], total[0]] = [BigInt(memoryBytes - held()), BigInt(memoryBytes)];
      return 0;
    },
    cudaMalloc(address, bytes) {
      if (held() + bytes > memoryBytes) return 2;
      address[0] = next;
      allocations.set(next, new ArrayBuffer(bytes));
      most = Math.max(most, held());
      next += BigInt(256 * Math.ceil(bytes / 256) + 256);
      return 0;
    },
    cudaFree: (address) => (allocations.delete(address) ? 0 : invalid.cuda),
    copyToDevice(to, from, bytes, kind) {
      const place = at(to, bytes);
      if (!place || kind !== 1 || bytes !== from.byteLength) return invalid.cuda;
      new Uint8Array(place.buffer, place.offset, bytes).set(new Uint8Array(from.buffer, from.byteOffset, bytes));
      return 0;
    },
    copyToHost(to, from, bytes, kind) {
      const place = at(from, bytes);
      if (!place || kind !== 2 || bytes !== to.byteLength) return invalid.cuda;
      new Uint8Array(to.buffer, to.byteOffset, bytes).set(new Uint8Array(place.buffer, place.offset, bytes));
      return 0;
    },
    cudaGetErrorString: (status) => ({ 1: "invalid argument", 2: "out of memory", 700: "an illegal memory access was encountered" })[status] ?? "unrecognized error code",
    cublasCreate: (handle) => (handles.add((handle[0] = blasHandle)), 0),
    cublasDestroy: (handle) => (handles.delete(handle) ? 0 : 1),
    cusolverDnCreate: (handle) => (handles.add((handle[0] = solverHandle)), 0),
    cusolverDnDestroy: (handle) => (handles.delete(handle) ? 0 : 1),
    cublasDtrsm(handle, side, fill, op, diagonal, m, n, alpha, aAt, lda, bAt, ldb) {
      const [a, b] = [doubles(aAt, lda * n), doubles(bAt, ldb * n)];
      if (handle !== blasHandle || side !== blas.right || fill !== blas.lower || diagonal !== blas.nonUnit || alpha[0] !== 1 || lda < n || ldb < m || !a || !b) return invalid.cublas;
      // X·op(L) = B, column by column: with Lᵀ (upper) from the first, with L from the last.
      const l = (i: number, j: number): number => (op === blas.transposed ? a[j + i * lda]! : a[i + j * lda]!);
      for (let step = 0; step < n; step++) {
        const j = op === blas.transposed ? step : n - 1 - step;
        for (let k = op === blas.transposed ? 0 : j + 1; k < (op === blas.transposed ? j : n); k++) {
          const factor = l(k, j);
          for (let i = 0; i < m; i++) b[i + j * ldb] = b[i + j * ldb]! - b[i + k * ldb]! * factor;
        }
        for (let i = 0; i < m; i++) b[i + j * ldb] = b[i + j * ldb]! / l(j, j);
      }
      return 0;
    },
    cusolverDnDpotrf_bufferSize(handle, fill, n, a, lda, elements) {
      if (handle !== solverHandle || fill !== blas.lower || lda < n || !doubles(a, lda * n)) return invalid.cusolver;
      elements[0] = workspaceOf(n);
      return 0;
    },
    cusolverDnDpotrf(handle, fill, n, aAt, lda, work, elements, info) {
      const [a, room, order] = [doubles(aAt, lda * n), doubles(work, elements), at(info, 4)];
      if (handle !== solverHandle || fill !== blas.lower || elements < workspaceOf(n) || !a || !room || !order) return invalid.cusolver;
      const failed = new Int32Array(order.buffer, order.offset, 1);
      failed[0] = 0;
      room.fill(NaN);
      for (let j = 0; j < n; j++) {
        for (let k = 0; k < j; k++) for (let i = j; i < n; i++) a[i + j * lda] = a[i + j * lda]! - a[i + k * lda]! * a[j + k * lda]!;
        if (!(a[j + j * lda]! > 0)) return (failed[0] = j + 1), 0;
        const pivot = Math.sqrt(a[j + j * lda]!);
        for (let i = j; i < n; i++) a[i + j * lda] = a[i + j * lda]! / pivot;
        for (let i = 0; i < j; i++) a[i + j * lda] = NaN; // what lies above the triangle is not the factor's
      }
      return 0;
    },
  };

  const watched = Object.fromEntries(
    Object.entries(functions).map(([name, run]) => [
      name,
      (...parameters: unknown[]) => {
        calls.push(name);
        const failure = failures.find(({ call, left }) => call === name && left === 0) ?? null;
        for (const each of failures) if (each.call === name) each.left -= 1;
        return failure ? failure.status : (run as (...all: unknown[]) => unknown)(...parameters);
      },
    ]),
  ) as unknown as CudaFunctions;
  return {
    ...watched, calls, heldBytes: held, mostBytes: () => most, liveHandles: () => handles.size,
    fail: (call, status, nth = 0) => void failures.push({ call, status, left: nth }),
  };
}
