// What a way of starting an adapter is. Each method is one small file with its formula and source; methods.ts lists them.
// A method works in two steps, because projections share inputs (q, k and v read one; gate and up another): once per
// layer input it looks at what the calibration says about it, then it splits each weight that reads that input.
// The model's function never changes at the start: training adds B·A − B0·A0 (AdapterKind in programs/adapters.ts).

import type { DenseKernels, Matrix } from "../nullspace/kernels.ts";
import type { AdapterStart, Gram, NullBasis } from "../nullspace/types.ts";
import type { AdapterKind } from "../programs/adapters.ts";

/** Which text's Gram matrices a method looks at: "knowledge" is what should be kept, "task" the training prompts. */
export type GramNeed = "none" | "knowledge" | "task" | "knowledge and task";

export interface InputGrams {
  knowledge: Gram | null;
  task: Gram | null;
}

export interface StartContext {
  rank: number;
  seed: number;
  kernels: DenseKernels;
  signal?: AbortSignal;
}

export interface ProjectionWeight {
  /** "model.layers.3.mlp.up_proj" */
  name: string;
  out: number;
  in: number;
  /** Reads W [out, in], which lasts until the next weight is read; a method that does not look at it (LoRA) costs no reading. */
  read(): Matrix;
}

export interface ProjectionStart extends AdapterStart {
  /** Singular values of the decomposition behind B·A, descending; null where B starts at zero. */
  singularValues: Float64Array | null;
  /** ‖B·A·X‖² over the calibration tokens: how much of the layer's output the start holds; null without a Gram. */
  outputChange: number | null;
}

export interface PreparedInput {
  /** The directions the updates of this input may use, where the method fixes them. */
  basis: NullBasis | null;
  start(projection: ProjectionWeight): Promise<ProjectionStart>;
}

export interface StartMethod {
  /** For people: "LoRA-Null v2". */
  title: string;
  /** One line of mathematics. */
  formula: string;
  source: string;
  grams: GramNeed;
  /** Which factors train and what is taken off the output. */
  kind: AdapterKind;
  /** `where` names the layer input in messages. */
  prepare(grams: InputGrams, where: string, context: StartContext): Promise<PreparedInput>;
}

/** The Gram that the method said it needs. */
export function needGram(gram: Gram | null, where: string): Gram {
  if (!gram) throw new Error(`${where}: this method needs a Gram matrix and was given none`);
  return gram;
}
