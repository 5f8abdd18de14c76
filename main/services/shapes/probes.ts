// Probes, their scores and their answers as services give them back.

import type { ErrorParts } from "../../../native-models/errors.ts";
import type { ProbeAnswer, ProgressEvent } from "../../engine/events.ts";
import type { ProbeScore } from "../../engine/job-results.ts";
import type { ProbeStart } from "../params/probes.ts";
import type { RunStatus } from "./runs.ts";

/** A number with its 95 % interval. */
export interface Estimate {
  value: number;
  low: number;
  high: number;
}

/** Share of right answers; Wilson interval. */
export interface ShareScore extends Estimate {
  right: number;
  asked: number;
}

export interface SubjectScores {
  /** By the task's own rule. */
  exact: ShareScore;
  /** The loose one: an accepted answer stands somewhere in the text. */
  contains: ShareScore;
  /** Mean ln p a token of the answer that is taken as right, nats (negative); bootstrap interval. Null where the task has none. */
  likelihoodNats: Estimate | null;
}

/** Tuned against base on the same questions. */
export interface ProbeChange {
  questions: number;
  /** kept: right as before; wrong: wrong as before. */
  flips: { lost: number; gained: number; kept: number; wrong: number };
  exact: {
    /** Of the shares, tuned − base; paired bootstrap. */
    difference: Estimate;
    /** McNemar's exact test of lost against gained. */
    pValue: number;
    /** Tuned right answers relative to the base's; paired bootstrap. Null where the base has none. */
    retention: Estimate | null;
  };
  /** Null where the task takes no likelihood. */
  likelihood: {
    differenceNats: Estimate;
    /** Paired bootstrap. */
    pValue: number;
    /** exp of the difference, as native-models/training/retention.ts defines retention. */
    retention: Estimate;
  } | null;
}

export interface ProbeScores {
  base: SubjectScores;
  tuned: SubjectScores | null;
  change: ProbeChange | null;
}

/** The same in words. */
export interface ScoreWords {
  /** The one number: what was kept ("95 %"), or what was learnt ("+58 points"). */
  headline: string;
  headlineOf: "exact" | "likelihood";
  exact: string;
  likelihood: string | null;
  flips: string;
}

/** Where answers of the base come from that were not asked again. */
export interface BaseSource {
  probeId: number;
  /** Of that probe; null where it stood alone. */
  runId: number | null;
  askedMs: number;
  /** How many were taken. */
  answers: number;
}

export interface ProbeSummary {
  id: number;
  runId: number | null;
  style: "knowledge" | "task";
  status: RunStatus;
  config: ProbeStart;
  progress: ProgressEvent | null;
  /** Set once the probe is done. */
  base: ProbeScore | null;
  tuned: ProbeScore | null;
  lost: number | null;
  gained: number | null;
  /** Each number with its uncertainty; null until the probe is done. */
  scores: ProbeScores | null;
  /** Null without a tuned model to compare. */
  words: ScoreWords | null;
  questionsPerSecond: number | null;
  /** Null where the base was asked. */
  baseFrom: BaseSource | null;
  createdMs: number;
  endedMs: number | null;
  error: (ErrorParts & { isBug: boolean }) | null;
}

export type ProbeEvent =
  | { type: "probe"; probe: ProbeSummary }
  | { type: "answers"; answers: ProbeAnswer[] }
  | { type: "ended"; probe: ProbeSummary };

/** One question with both answers, for lists of flips. */
export interface AnswerPair {
  index: number;
  question: string;
  accepted: string[];
  /** As the model read it. */
  prompt: string;
  base: ProbeAnswer | null;
  tuned: ProbeAnswer | null;
  /** kept: right as before; wrong: wrong as before. */
  flip: "lost" | "gained" | "kept" | "wrong";
  /** Of the right answer's likelihood, tuned − base, nats a token; null where it was not taken of both. */
  changeNats: number | null;
}

/** Questions of each kind. */
export type AnswerCounts = Record<AnswerPair["flip"] | "all", number>;
