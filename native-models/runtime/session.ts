// One ONNX Runtime session. The only file that imports onnxruntime-node.
// In: a program from graph/emit-onnx.ts and the folder of the weights it points into. Out: results as typed arrays.
// A session holds its weights until its process ends: ONNX Runtime leaks on release (microsoft/onnxruntime#25325),
// which is why compute lives in a process of its own.

import { availableParallelism } from "node:os";
import * as ort from "onnxruntime-node";
import type { OnnxProgram } from "../graph/emit-onnx.ts";

export type Elements = Float32Array | Float64Array | BigInt64Array | Int32Array;
export type ElementType = "float32" | "float64" | "int64" | "int32";

export interface TensorData {
  data: Elements;
  dims: readonly number[];
}

export interface SessionOptions {
  /** Folder that the program's weights are relative to; needed when it has any. */
  weightsFolder?: string;
  threads?: number;
  /** Threads wait for their next piece of work by spinning. Default false: measured no faster on a quiet machine, and many times slower beside other work. */
  spins?: boolean | { microseconds: number };
  /**
   * Packs weights for the matrix kernels when loading: faster for short inputs, at the price of a second copy of every
   * weight in memory. Default false.
   */
  prepack?: boolean;
  /** Writes the runtime's own profile beside this prefix when the session ends. */
  profilePrefix?: string;
  /** false returns memory to the system after each run; default true. */
  keepsMemory?: boolean;
}

export interface RunOptions {
  /** Outputs to be written to given arrays instead of new ones. */
  into?: Readonly<Record<string, TensorData>>;
  /** Outputs wanted; default all. */
  only?: readonly string[];
}

export interface Session {
  run(feeds: Readonly<Record<string, TensorData>>, options?: RunOptions): Promise<Record<string, TensorData>>;
  /** Ends the runtime's profile, if one was asked for. */
  endProfile(): void;
  release(): Promise<void>;
}

/**
 * The runtime's optimizers that would undo the compiler's work: what a graph repeats it repeats on purpose
 * (passes/recompute.ts), thin products are turned on purpose (passes/thin-products.ts), and nodes made anew at the end
 * of the graph would run too early (emit-onnx.ts).
 */
const undoingOptimizers = ["CommonSubexpressionElimination", "GemmTransposeFusion", "GatherSliceToSplitFusion"];

export async function openSession(program: OnnxProgram, options: SessionOptions = {}): Promise<Session> {
  const { weightsFolder, threads = availableParallelism(), prepack = false, profilePrefix, keepsMemory = true, spins = false } = options;
  const session = await ort.InferenceSession.create(program.bytes, {
    executionProviders: ["cpu"],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: "sequential",
    graphOptimizationLevel: "all",
    enableCpuMemArena: keepsMemory,
    enableMemPattern: false,
    logSeverityLevel: 3,
    ...(profilePrefix ? { enableProfiling: true, profileFilePrefix: profilePrefix } : {}),
    extra: {
      optimization: { disable_specified_optimizers: undoingOptimizers.join(";") },
      session: {
        disable_prepacking: prepack ? "0" : "1",
        intra_op: { allow_spinning: spins === false ? "0" : "1", ...(typeof spins === "object" && { spin_duration_us: String(spins.microseconds) }) },
        ...(weightsFolder ? { model_external_initializers_file_folder_path: weightsFolder } : {}),
      },
    },
  });
  const all = program.outputs.map(({ name }) => name);

  return {
    async run(feeds, { into = {}, only: wanted = all } = {}) {
      const inputs: Record<string, ort.Tensor> = {};
      for (const { name } of program.inputs) {
        const fed = feeds[name];
        if (!fed) throw new Error(`The program's input "${name}" is not fed`);
        inputs[name] = toTensor(fed);
      }
      const fetches: Record<string, ort.Tensor | null> = {};
      for (const name of wanted) fetches[name] = into[name] ? toTensor(into[name]) : null;
      const results = await session.run(inputs, fetches);
      const outputs: Record<string, TensorData> = {};
      for (const name of wanted) {
        const result = results[name] as ort.Tensor;
        outputs[name] = { data: result.data as Elements, dims: result.dims };
      }
      return outputs;
    },
    endProfile: () => (session as unknown as { endProfiling(): void }).endProfiling(),
    release: () => session.release(),
  };
}

/** Handles of arrays that are fed again and again: the weights of adapters, views of a cache. */
const handles = new WeakMap<TensorData, ort.Tensor>();

function toTensor(fed: TensorData): ort.Tensor {
  const known = handles.get(fed);
  if (known && known.data === fed.data) return known;
  const made = makeTensor(fed);
  handles.set(fed, made);
  return made;
}

function makeTensor({ data, dims }: TensorData): ort.Tensor {
  if (data instanceof Float32Array) return new ort.Tensor("float32", data, dims);
  if (data instanceof Float64Array) return new ort.Tensor("float64", data, dims);
  if (data instanceof BigInt64Array) return new ort.Tensor("int64", data, dims);
  return new ort.Tensor("int32", data, dims);
}

export function f32(data: Float32Array, ...dims: number[]): TensorData {
  return { data, dims };
}

export function i64(data: ArrayLike<number> | BigInt64Array, ...dims: number[]): TensorData {
  return { data: data instanceof BigInt64Array ? data : BigInt64Array.from(data as ArrayLike<number>, BigInt), dims };
}

export function i32(data: Int32Array, ...dims: number[]): TensorData {
  return { data, dims };
}
