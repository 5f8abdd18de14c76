// What training has to say beside its loss: validation losses, retention, and memory estimated and measured.

import type { MemoryPlan, RetentionPoint, RunDetail, RunEstimate } from "../rpc/contract.ts";
import { duration } from "./progress.ts";
import { bytes, table } from "./tables.ts";

const levels: Record<MemoryPlan["recomputed"], string> = {
  none: "nothing is computed again",
  cheap: "norms and gates are computed again",
  scores: "norms, gates and attention scores are computed again",
  layer: "whole layers are computed again",
};

/** The lowest validation loss, the last one, and which state the adapter is of; nothing without validation. */
export function validationText({ stages, validations }: RunDetail): string[] {
  const result = stages.flatMap(({ result }) => (result?.kind === "train" ? [result.validation] : []))[0] ?? null;
  if (result !== null) {
    const { best, last, adapterStep, hasStoppedEarly, rows } = result;
    const early = hasStoppedEarly ? " Training stopped early: no evaluation improved on it any more." : "";
    return [`Validation on ${rows} rows: lowest loss ${best.lossNats.toFixed(3)} at step ${best.step}, ${last.lossNats.toFixed(3)} at step ${last.step}; the adapter is of step ${adapterStep}.${early}`];
  }
  const best = validations.findLast(({ isBest }) => isBest);
  return best === undefined ? [] : [`Validation: ${validations.length} evaluations, lowest loss ${best.lossNats.toFixed(3)} at step ${best.step}`];
}

/** One measurement of retention. */
export function retentionLine({ step, retention, low, high, nats, exact, questions, elapsedMs }: RetentionPoint): string {
  if (step === 0) return `Retention is measured on ${questions} questions: right answers have ${nats.toFixed(3)} nats a token in the base (took ${duration(elapsedMs)}).`;
  return `Retention after step ${step}: ${percent(retention)} (${percent(low)} to ${percent(high)})${exact === null ? "" : `, word for word ${exact.base} → ${exact.now}`}`;
}

/** What was kept while training, at what cost, and whether that ended it; nothing where it was not measured. */
export function retentionText({ stages, retentions, config }: RunDetail): string[] {
  const last = retentions.at(-1);
  if (last === undefined || last.step === 0) return [];
  const result = stages.flatMap(({ result }) => (result?.kind === "train" ? [result.retention] : []))[0] ?? null;
  const lowest = retentions.reduce((least, point) => (point.retention < least.retention ? point : least));
  const costMs = retentions.reduce((sum, { elapsedMs }) => sum + elapsedMs, 0);
  const ended = result?.hasFallenBelow ? ` It fell below the floor of ${percent(config.retention?.floor ?? 0)}, so training stopped; the adapter is of step ${result.adapterStep}.` : "";
  return [
    `Retention on ${last.questions} questions: ${percent(last.retention)} (${percent(last.low)} to ${percent(last.high)}) at step ${last.step}, lowest ${percent(lowest.retention)} at step ${lowest.step}; ${retentions.length} measurements took ${duration(costMs)}.${ended}`,
  ];
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** One line: the estimate beside the measured peak. */
export function memoryLine({ memory }: RunDetail): string[] {
  if (memory === null) return [];
  const { estimate, measuredBytes } = memory;
  const measured = measuredBytes === null ? "" : `, ${bytes(measuredBytes)} measured at the peak (the estimate was ${percentOff(estimate.totalBytes, measuredBytes)} off)`;
  return [`Memory of training: ${bytes(estimate.totalBytes)} estimated${measured}; ${levels[estimate.recomputed]}`];
}

function percentOff(estimated: number, measured: number): string {
  const percent = (estimated / measured - 1) * 100;
  return `${percent > 0 ? "+" : ""}${percent.toFixed(0)} %`;
}

/** The estimate with its terms, and settings that fit where it does not. */
export function memoryText(plan: RunEstimate): string {
  const { totalBytes, availableBytes, terms, microBatch, recomputed, validatesBy, fits, proposals } = plan;
  const shown = Object.entries(terms).filter(([, size]) => size > 0).map(([term, size]) => [term, bytes(size)]);
  const by = validatesBy === null ? "" : validatesBy === "forward" ? "; validation and retention have a program of their own" : "; validation and retention go through the training program, which is slower but needs no second copy of the weights";
  return [
    `Training takes about ${bytes(totalBytes)} of ${bytes(availableBytes)} that may be taken: ${fits ? "it fits" : "it does not fit"}.`,
    table(["term", "memory"], shown),
    `Largest micro-batch: ${microBatch.rows} rows of up to ${microBatch.longest} tokens, ${microBatch.tokens} together, ${microBatch.trained} trained; ${levels[recomputed]}${by}.`,
    ...(plan.retentionTokens === null ? [] : [`Each measurement of retention reads ${plan.retentionTokens} tokens.`]),
    ...proposals.map((fit) => `Would fit: --batch ${fit.batch} --accumulate ${fit.accumulate} --length ${fit.length} (${bytes(fit.totalBytes)})`),
  ].join("\n");
}
