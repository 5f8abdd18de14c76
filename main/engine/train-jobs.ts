// Jobs about training rows: training itself, what it would take, and looks at the rows.

import type { OverLong } from "../../native-models/data/fit.ts";
import type { Split } from "../../native-models/data/records/folder.ts";
import type { ColumnMapping } from "../../native-models/data/rows/types.ts";
import type { Method } from "../../native-models/nullspace/types.ts";
import type { Recomputed } from "../../native-models/programs/train-program.ts";
import type { AnswerLikelihood } from "../../native-models/training/retention.ts";
import type { ValidatesBy } from "../../native-models/training/validator.ts";

/** How prompts are written. */
export interface PromptSettings {
  template: "chat" | "alpaca";
  /** Jinja to use in place of the model's own chat template, as it was stored with the run; default: the model's own. */
  chatTemplate?: string | null;
}

/** How the rows of a training set are read and put to the model. */
export interface RowSettings extends PromptSettings {
  /** File or dataset folder. */
  data: string;
  /** Columns chosen by hand; default: detected. */
  mapping?: ColumnMapping | null;
  /** Split of a dataset folder; default: train. */
  split?: Split | null;
  /** Longest row in tokens. */
  length: number;
  /** What becomes of longer rows, which are counted in any case; default: drop. */
  overLong?: OverLong;
}

/** Rows that a run is judged by while it trains. */
export interface ValidationSettings {
  /** A file of its own, or so many or such a share of the training rows, which are then not trained on. */
  from: { file: string } | { rows: number } | { share: number };
  /** Steps from one evaluation to the next; the last step is always evaluated. */
  everySteps: number;
  /** Evaluations without improvement after which training stops; null: it never stops early. */
  patience: number | null;
  /** Smallest fall of the loss that is an improvement. */
  leastImprovementNats: number;
  /** State that the adapter is made from: the lowest validation loss, or the last step. */
  keeps: "best" | "last";
}

/** The probe that rides along: how much of what the base knew is still there, measured while the run trains. */
export interface RetentionSettings {
  /** Questions with accepted answers. */
  questions: string;
  /** Example answers before each question: the file's first, which are then not asked. */
  shots: number;
  /** Questions asked: a sample chosen by the run's seed. */
  limit: number;
  /** Steps from one measurement to the next; before the first step and after the last one it is always measured. */
  everySteps: number;
  /** Share of the base's likelihood below which training stops (training/retention.ts says what it is); null: it never stops. */
  floor: number | null;
}

export interface TrainJob extends RowSettings {
  kind: "train";
  model: string;
  /** Folder that an init job wrote. */
  init: string;
  /** Exactly one of steps and epochs is set. */
  steps: number | null;
  epochs: number | null;
  /** Rows in one micro-batch. */
  batch: number;
  /** Micro-batches in one optimizer step. */
  accumulate: number;
  learningRate: number;
  warmupRatio: number;
  /** Largest global gradient norm; null: no clipping. */
  clipNorm: number | null;
  weightDecay: number;
  checkpointEverySteps: number;
  validation: ValidationSettings | null;
  retention: RetentionSettings | null;
  /** What retention is measured against, as earlier runs measured it on the same questions; absent: the base is asked. */
  knownBases?: RetentionBase[];
  /** What the backward pass computes again; auto: as little as the memory allows. */
  recomputed: Recomputed | "auto";
  /** Memory that training may take; null: what the machine has free. */
  memoryBytes: number | null;
  seed: number;
  /** Run folder to write: checkpoints/, adapter/ (PEFT), start/. */
  out: string;
  resume: boolean;
}

/** What the base knows of the questions of retention, in their order. */
export interface RetentionBase {
  by: ValidatesBy;
  likelihoods: AnswerLikelihood[];
}

/** How much memory a training would take, worked out from the sizes of its rows; nothing is trained. */
export interface EstimateJob {
  kind: "estimate";
  model: string;
  method: Method;
  rank: number;
  /** Tokens of each kept row, and how many of them are trained. */
  lengths: Int32Array;
  trained: Int32Array;
  /** Tokens that all kept rows begin with. */
  shared: number;
  steps: number | null;
  epochs: number | null;
  batch: number;
  accumulate: number;
  length: number;
  validation: ValidationSettings | null;
  retention: RetentionSettings | null;
  recomputed: Recomputed | "auto";
  memoryBytes: number | null;
  seed: number;
}

/** The first rows of a training set as tokens, at once, and then, where wanted, what becomes of every row. */
export interface CountRowsJob extends RowSettings {
  kind: "count-rows";
  model: string;
  /** Rows to show. */
  offset: number;
  limit: number;
  isCountWanted: boolean;
}
