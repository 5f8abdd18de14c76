// What a probe's answers come to, each number with its uncertainty: the one place where it is worked out. Worked out once
// and stored; probes of older versions get theirs when they are looked at.
// In: marks of every answer. Out: scores of base and tuned, and the change between them with its paired tests.

import type { AnswerMark } from "../db/probe-answers.ts";
import type { Store } from "../db/store.ts";
import { bootstrapPValue, mcnemarExact, percentileInterval, resampledMeans, wilsonInterval, type Interval } from "../engine/statistics.ts";
import type { Estimate, ProbeChange, ProbeScores, ShareScore, SubjectScores } from "./shapes/probes.ts";

/** Raised when the same answers come to other scores, so that stored ones are worked out again. */
const version = 1;

/** Of a done probe; null where it has no answers. */
export function probeScores(store: Store, probeId: number): ProbeScores | null {
  const stored = store.probeScores.find(probeId) as { version: number; scores: ProbeScores } | null;
  if (stored?.version === version) return stored.scores;
  const marks = store.probeAnswers.marks(probeId);
  if (marks.length === 0) return null;
  const scores = scoresOf(marks);
  store.probeScores.put(probeId, { version, scores });
  return scores;
}

export function scoresOf(marks: readonly AnswerMark[]): ProbeScores {
  const of = (subject: AnswerMark["subject"]): AnswerMark[] => marks.filter((mark) => mark.subject === subject);
  const [base, tuned] = [of("base"), of("tuned")];
  const byIndex = new Map(tuned.map((mark) => [mark.index, mark]));
  const pairs = base.flatMap((mark) => {
    const other = byIndex.get(mark.index);
    return other === undefined ? [] : [{ base: mark, tuned: other }];
  });
  if (pairs.length === 0) return { base: { ...shares(base), likelihoodNats: likelihoodOf(base) }, tuned: null, change: null };
  const likelihoods = pairedLikelihoods(pairs);
  return {
    base: { ...shares(base), likelihoodNats: likelihoods?.base ?? null },
    tuned: { ...shares(tuned), likelihoodNats: likelihoods?.tuned ?? null },
    change: { ...answerChange(pairs), likelihood: likelihoods?.change ?? null },
  };
}

function shares(marks: readonly AnswerMark[]): Pick<SubjectScores, "exact" | "contains"> {
  return { exact: shareOf(marks.filter(({ isExact }) => isExact).length, marks.length), contains: shareOf(marks.filter(({ isContained }) => isContained).length, marks.length) };
}

function shareOf(right: number, asked: number): ShareScore {
  return { right, asked, value: asked === 0 ? 0 : right / asked, ...wilsonInterval(right, asked) };
}

function likelihoodOf(marks: readonly AnswerMark[]): Estimate | null {
  const nats = marks.map(({ logLikelihoodNats }) => logLikelihoodNats).filter(Number.isFinite);
  return nats.length === 0 ? null : { value: meanOf(nats), ...percentileInterval(resampledMeans([nats])[0]!) };
}

interface Pair {
  base: AnswerMark;
  tuned: AnswerMark;
}

function answerChange(pairs: readonly Pair[]): Omit<ProbeChange, "likelihood"> {
  const count = (isBase: boolean, isTuned: boolean): number => pairs.filter(({ base, tuned }) => base.isExact === isBase && tuned.isExact === isTuned).length;
  const flips = { lost: count(true, false), gained: count(false, true), kept: count(true, true), wrong: count(false, false) };
  const [base, tuned] = [pairs.map((pair) => Number(pair.base.isExact)), pairs.map((pair) => Number(pair.tuned.isExact))];
  const [baseMeans, tunedMeans] = resampledMeans([base, tuned]) as [Float64Array, Float64Array];
  const baseRight = flips.kept + flips.lost;
  return {
    questions: pairs.length,
    flips,
    exact: {
      difference: { value: meanOf(tuned) - meanOf(base), ...percentileInterval(tunedMeans.map((mean, i) => mean - baseMeans[i]!)) },
      pValue: mcnemarExact(flips.lost, flips.gained),
      retention: baseRight === 0 ? null : { value: (flips.kept + flips.gained) / baseRight, ...ratioInterval(baseMeans, tunedMeans) },
    },
  };
}

/** Samples of questions none of which the base knows say nothing about a share of what it knows. */
function ratioInterval(base: Float64Array, tuned: Float64Array): Interval {
  return percentileInterval(Array.from(tuned, (mean, i) => mean / base[i]!).filter(Number.isFinite));
}

function pairedLikelihoods(all: readonly Pair[]): { base: Estimate; tuned: Estimate; change: ProbeChange["likelihood"] } | null {
  const pairs = all.filter(({ base, tuned }) => Number.isFinite(base.logLikelihoodNats) && Number.isFinite(tuned.logLikelihoodNats));
  if (pairs.length === 0) return null;
  const [base, tuned] = [pairs.map((pair) => pair.base.logLikelihoodNats), pairs.map((pair) => pair.tuned.logLikelihoodNats)];
  const [baseMeans, tunedMeans] = resampledMeans([base, tuned]) as [Float64Array, Float64Array];
  const differences = tunedMeans.map((mean, i) => mean - baseMeans[i]!);
  const difference: Estimate = { value: meanOf(tuned) - meanOf(base), ...percentileInterval(differences) };
  return {
    base: { value: meanOf(base), ...percentileInterval(baseMeans) },
    tuned: { value: meanOf(tuned), ...percentileInterval(tunedMeans) },
    change: { differenceNats: difference, pValue: bootstrapPValue(differences), retention: { value: Math.exp(difference.value), low: Math.exp(difference.low), high: Math.exp(difference.high) } },
  };
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
