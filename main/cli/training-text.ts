// What training has to say beside its loss: the validation losses, and memory estimated and measured.

import type { MemoryPlan, RunDetail } from "../rpc/contract.ts";
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
export function memoryText(plan: MemoryPlan): string {
  const { totalBytes, availableBytes, terms, microBatch, recomputed, validatesBy, fits, proposals } = plan;
  const shown = Object.entries(terms).filter(([, size]) => size > 0).map(([term, size]) => [term, bytes(size)]);
  const by = validatesBy === null ? "" : validatesBy === "forward" ? "; validation has a program of its own" : "; validation goes through the training program, which is slower but needs no second copy of the weights";
  return [
    `Training takes about ${bytes(totalBytes)} of ${bytes(availableBytes)} that may be taken: ${fits ? "it fits" : "it does not fit"}.`,
    table(["term", "memory"], shown),
    `Largest micro-batch: ${microBatch.rows} rows of up to ${microBatch.longest} tokens, ${microBatch.tokens} together, ${microBatch.trained} trained; ${levels[recomputed]}${by}.`,
    ...proposals.map((fit) => `Would fit: --batch ${fit.batch} --accumulate ${fit.accumulate} --length ${fit.length} (${bytes(fit.totalBytes)})`),
  ].join("\n");
}
