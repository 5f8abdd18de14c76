// How much of what the base knew the adapter in training still knows, and whether that is enough to go on.
// In: likelihoods of accepted answers, base and now, of the same questions. Out: retention with its interval, and plain
// figures that go into checkpoints, so a resumed run judges as one that never stopped.

import { pairedBootstrap } from "../probe/statistics.ts";
import type { ValidatesBy } from "./validator.ts";

/** Of one question: its accepted answer after its prompt. */
export interface AnswerLikelihood {
  /** Mean ln p of the answer's tokens, nats a token. */
  nats: number;
  /** Each token is the most likely one, as lm-evaluation-harness has it for WebQuestions; null where logits are not to be had. */
  isGreedy: boolean | null;
}

export interface Retention {
  /** exp of the mean over questions of (ℓ now − ℓ base): 1 is all of it; above 1, right answers became likelier. */
  retention: number;
  /** 95 % of paired bootstrap samples of the questions. */
  low: number;
  high: number;
  /** Mean ℓ, nats a token. */
  baseNats: number;
  nats: number;
  /** Questions whose answer is the greedy continuation; null where that is not known. */
  exact: { base: number; now: number } | null;
}

/**
 * Retention of the present state: with ℓ(q) = mean ln p over the tokens of question q's first accepted answer, it is
 * exp(1/K · Σ (ℓ now(q) − ℓ base(q))). That is the geometric mean of the probability that a right answer's token has now,
 * relative to the one it had: 0.9 says that they became a tenth less likely. Needs at least one question, in the same order.
 */
export function retentionOf(base: readonly AnswerLikelihood[], now: readonly AnswerLikelihood[]): Retention {
  const natsOf = (list: readonly AnswerLikelihood[]): number[] => list.map(({ nats }) => nats);
  const mean = (list: readonly AnswerLikelihood[]): number => list.reduce((sum, { nats }) => sum + nats, 0) / list.length;
  const change = pairedBootstrap(natsOf(base), natsOf(now));
  const knowsGreedy = [...base, ...now].every(({ isGreedy }) => isGreedy !== null);
  const greedy = (list: readonly AnswerLikelihood[]): number => list.filter(({ isGreedy }) => isGreedy).length;
  return {
    retention: Math.exp(change.mean),
    low: Math.exp(change.low),
    high: Math.exp(change.high),
    baseNats: mean(base),
    nats: mean(now),
    exact: knowsGreedy ? { base: greedy(base), now: greedy(now) } : null,
  };
}

export interface RetentionAt {
  /** Optimizer steps finished. */
  step: number;
  retention: number;
}

export interface RetentionProgress {
  by: ValidatesBy;
  /** Of the untouched model, question by question: measured once, before the first step. */
  base: AnswerLikelihood[];
  last: RetentionAt;
  /** The last state that was not below the floor; what a run that falls below it goes back to. */
  above: RetentionAt;
}

/** After a measurement. Without a floor nothing is ever below it. */
export function follow(progress: RetentionProgress, at: RetentionAt, floor: number | null): RetentionProgress {
  return { ...progress, last: at, above: isBelow(at, floor) ? progress.above : at };
}

/** Whether the last measurement ends the run. */
export function hasFallen({ last }: RetentionProgress, floor: number | null): boolean {
  return isBelow(last, floor);
}

function isBelow({ retention }: RetentionAt, floor: number | null): boolean {
  return floor !== null && retention < floor;
}

/** Questions that are measured together, their examples read once; by the gradient program one at a time, as it gives one loss a run. */
export const retentionBatch: Readonly<Record<ValidatesBy, number>> = { forward: 16, gradients: 1 };
