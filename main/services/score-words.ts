// A probe's scores in words that anybody reads: how much was kept or learnt, how sure that is, what changed.
// In: scores of probe-scores.ts. Out: sentences, the same in the window and on the command line.

import type { Estimate, ProbeChange, ProbeScores, ProbeSummary, ScoreWords } from "./shapes/probes.ts";

const significant = 0.05;

/** Fewer right answers of the base than this say little about what was kept: the likelihood says it then. */
const fewRight = 10;

export function scoreWords(style: ProbeSummary["style"], { base, tuned, change }: ProbeScores): ScoreWords | null {
  if (tuned === null || change === null) return null;
  const { exact, likelihood, flips } = change;
  const byLikelihood = likelihood !== null && (exact.retention === null || base.exact.right < fewRight);
  const told = {
    exact: style === "knowledge" ? keptAnswers(change) : learntAnswers(base.exact.value, tuned.exact.value, change),
    likelihood: likelihood === null ? null : style === "knowledge" ? keptLikelihood(likelihood) : learntLikelihood(likelihood),
    flips: `${counted(flips.lost, "answer")} lost, ${flips.gained} gained, ${flips.kept} right as before, ${flips.wrong} wrong as before.`,
  };
  const headline = style === "task" ? points(exact.difference.value) : byLikelihood ? percent(likelihood.retention) : exact.retention ? percent(exact.retention) : "none to keep";
  return { headline, headlineOf: style === "knowledge" && byLikelihood ? "likelihood" : "exact", ...told };
}

function keptAnswers({ exact: { retention, pValue } }: ProbeChange): string {
  if (retention === null) return "The base answers none of the questions right, so no right answer could be lost.";
  return `Right answers: kept ${percent(retention)} (${range(retention)}), ${difference(pValue)}.`;
}

function keptLikelihood({ retention, pValue }: NonNullable<ProbeChange["likelihood"]>): string {
  return `Likelihood of right answers: kept ${percent(retention)} (${range(retention)}), ${difference(pValue)}.`;
}

function learntAnswers(before: number, after: number, { exact: { difference: points, pValue } }: ProbeChange): string {
  const figures = `${whole(before)} → ${whole(after)} %, ${signed(points.value)} points (${signed(points.low)} to ${signed(points.high)})`;
  return `Right answers: ${figures}, ${difference(pValue)}.`;
}

function learntLikelihood({ retention, pValue }: NonNullable<ProbeChange["likelihood"]>): string {
  const times = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));
  return `Right answers are ${times(retention.value)} × as likely a token (${times(retention.low)} to ${times(retention.high)} ×), ${difference(pValue)}.`;
}

function difference(pValue: number): string {
  return `difference ${pValue < significant ? "significant" : "not significant"}: ${pWords(pValue)}`;
}

export function pWords(pValue: number): string {
  return pValue < 0.001 ? "p < 0.001" : `p = ${pValue < 0.1 ? pValue.toFixed(3) : pValue.toFixed(2)}`;
}

/** "95 %", with a decimal where the interval is narrow enough for one to mean something. */
function percent(estimate: Estimate): string {
  return `${decimals(estimate)(estimate.value)} %`;
}

function range(estimate: Estimate): string {
  const digits = decimals(estimate);
  return `${digits(estimate.low)}–${digits(estimate.high)} %`;
}

function decimals({ low, high }: Estimate): (share: number) => string {
  return (share) => (100 * share).toFixed(high - low < 0.04 ? 1 : 0);
}

function whole(share: number): string {
  return (100 * share).toFixed(0);
}

function points(difference: number): string {
  return `${signed(difference)} points`;
}

function signed(difference: number): string {
  const rounded = Math.round(1000 * difference) / 10;
  return `${rounded > 0 ? "+" : rounded < 0 ? "−" : "±"}${Math.abs(rounded)}`;
}

function counted(count: number, one: string): string {
  return `${count} ${count === 1 ? one : `${one}s`}`;
}
