// What an engine process reports while it works. Every job ends in exactly one of done, failed, cancelled.

import type { ErrorParts } from "../../native-models/errors.ts";
import type { RowsAccount } from "../../native-models/data/row-tally.ts";
import type { MemoryPlan } from "../../native-models/training/memory-plan.ts";
import type { Retention } from "../../native-models/training/retention.ts";
import type { JobResult, RowsHead, RowsReport } from "./job-results.ts";
import type { RetentionBase } from "./train-jobs.ts";

export interface ProgressEvent {
  type: "progress";
  /** What is being done, for people: "Reading calibration text", "Layer 12 of 30". */
  stage: string;
  done: number;
  total: number;
  /** Unit of done and total: "tokens", "layers", "steps", "questions". */
  unit: string;
  /** Units a second over the recent past; null while unknown. */
  ratePerSecond: number | null;
  /** Milliseconds left; null while unknown. */
  leftMs: number | null;
  /** How the stage is done, to be said once: which solver is at work. */
  note?: string | undefined;
}

export interface TrainPoint {
  /** Optimizer steps finished, from 1. */
  step: number;
  lossNats: number;
  learningRate: number;
  gradNorm: number;
  /** Trained and prompt tokens of this step, no padding. */
  tokens: number;
  tokensPerSecond: number;
  elapsedMs: number;
}

export interface ValidationPoint {
  /** Optimizer steps finished. */
  step: number;
  /** Mean over all trained tokens of the validation rows. */
  lossNats: number;
  trainedTokens: number;
  /** The lowest loss so far. */
  isBest: boolean;
  elapsedMs: number;
}

/** What the ride-along probe measured: native-models/training/retention.ts says what each figure is. */
export interface RetentionPoint extends Retention {
  /** Optimizer steps finished; 0 is the base itself. */
  step: number;
  questions: number;
  /** Not below the floor. */
  isAbove: boolean;
  elapsedMs: number;
}

export interface ProbeAnswer {
  /** Row number in the questions file. */
  index: number;
  subject: "base" | "tuned";
  question: string;
  accepted: string[];
  prompt: string;
  /** Raw text of the model. */
  answer: string;
  isExact: boolean;
  isContained: boolean;
  /** NaN where the task has no answer to take it of. */
  logLikelihoodNats: number;
  /** Further measures of the task, such as strict and flexible. */
  measures: Record<string, number>;
  /** What the judge said: the end of a program's output, a model's verdict; null where none was asked. */
  verdict: string | null;
}

/** What a training has said up to a checkpoint: it lies in the checkpoint, for a listener that died before it stored it. */
export interface RunHistory {
  points: TrainPoint[];
  validations: ValidationPoint[];
  retentions: RetentionPoint[];
  warnings: ErrorParts[];
}

export type JobEvent =
  | ProgressEvent
  | { type: "point"; point: TrainPoint }
  | { type: "validation"; point: ValidationPoint }
  | { type: "retention"; point: RetentionPoint }
  /** What retention is measured against, before its first point; known: another run had measured it. */
  | { type: "retention-base"; base: RetentionBase; isKnown: boolean }
  /** Once before the first step, and at the end with what the process took at its fullest. */
  | { type: "memory"; estimate: MemoryPlan; measuredBytes: number | null }
  /** Once before the first step. */
  | { type: "rows"; rows: RowsReport }
  | { type: "rows-head"; head: RowsHead }
  /** What became of the rows so far. */
  | { type: "rows-account"; account: RowsAccount }
  | { type: "checkpoint"; step: number; path: string }
  /** History: all that was said up to that step; null where an older version wrote the checkpoint. */
  | { type: "resumed"; step: number; path: string; history: RunHistory | null }
  /** Text that the token completes; empty within a character. */
  | { type: "token"; column: number; id: number; text: string }
  /** The column's answer is whole; others may go on. */
  | { type: "column-ended"; column: number; stopped: "eos" | "length" }
  /** known: another probe's, which was not asked again. */
  | ({ type: "answer"; isKnown: boolean } & ProbeAnswer)
  | { type: "warning"; warning: ErrorParts }
  | { type: "done"; result: JobResult }
  | { type: "failed"; error: ErrorParts & { isBug: boolean; stack: string | null } }
  | { type: "cancelled" };

export type Emit = (event: JobEvent) => void;
