// What a job gives when it is done: plain data, one result a kind of job.

import type { Split } from "../../native-models/data/records/folder.ts";
import type { RowsAccount } from "../../native-models/data/row-tally.ts";
import type { RowsLook } from "../../native-models/data/rows/inspect.ts";
import type { RowPreview } from "../../native-models/data/rows/preview.ts";
import type { RowFormat } from "../../native-models/data/rows/types.ts";
import type { TemplateView } from "../../native-models/data/template-text.ts";
import type { ErrorParts } from "../../native-models/errors.ts";
import type { MeasuredWidth } from "../../native-models/quantised/measured.ts";
import type { MemoryPlan } from "../../native-models/training/memory-plan.ts";

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
