// Retention while training as its chart takes it, and in words: what is left, how sure that is, what measuring it cost.

import type { RetentionPoint, TrainPoint } from "../../main/rpc/contract.ts";
import { formatDuration, plural } from "./format.ts";
import { paddedRange } from "./curve-options.ts";

export interface RetentionColumns {
  /** Percent of the base, null where it was not measured. */
  line: (number | null)[];
  band: [upper: (number | null)[], lower: (number | null)[]];
}

/** At the steps of the loss's curve, so that both lie above each other. */
export function retentionColumns(steps: readonly number[], points: readonly RetentionPoint[]): RetentionColumns {
  const at = new Map(points.map((point) => [point.step, point]));
  const column = (read: (point: RetentionPoint) => number): (number | null)[] =>
    steps.map((step) => {
      const point = at.get(step);
      return point === undefined ? null : 100 * read(point);
    });
  return { line: column(({ retention }) => retention), band: [column(({ high }) => high), column(({ low }) => low)] };
}

/** At least from 98 to 101 percent: a curve that hardly moves looks so. */
export function retentionRange(least: number | null, most: number | null): [number, number] {
  return paddedRange(Math.min(98, least ?? 100), Math.max(101, most ?? 100));
}

/** "95.5–101.8 %" */
export function sureness({ low, high }: RetentionPoint): string {
  return `${(100 * low).toFixed(1)}–${(100 * high).toFixed(1)} %`;
}

/** "12 → 11 exact": right answers that are the greedy continuation, base and now; empty where that is not known. */
export function wordForWord({ exact }: RetentionPoint): string {
  return exact === null ? "" : `${exact.base} → ${exact.now} exact`;
}

/** What the measurements cost: "7 measurements, 11 s, 13 % of training"; empty before the first. */
export function retentionCost(retentions: readonly RetentionPoint[], points: readonly TrainPoint[]): string {
  if (retentions.length === 0) return "";
  const costMs = retentions.reduce((sum, { elapsedMs }) => sum + elapsedMs, 0);
  const trainedMs = points.at(-1)?.elapsedMs ?? 0;
  const share = trainedMs === 0 ? "" : `, ${Math.max(1, Math.round((100 * costMs) / (trainedMs + costMs)))} % of training`;
  return `${plural(retentions.length, "measurement")}, ${formatDuration(costMs)}${share}`;
}

/**
 * Text that one measurement reads against what training computes between two: forward once against forward and backward
 * (three times forward) of the rows of `everySteps` steps. Null while a figure is missing.
 */
export function expectedCostShare(s: { retentionTokens: number | null; everySteps: number | null; rowsPerStep: number; tokensPerRow: number; isByGradients: boolean }): number | null {
  if (s.retentionTokens === null || !s.everySteps || s.tokensPerRow <= 0) return null;
  return (s.retentionTokens * (s.isByGradients ? 3 : 1)) / (3 * s.everySteps * s.rowsPerStep * s.tokensPerRow);
}
