// Curves over optimiser steps: smoothing for the eye, and the columns a chart takes.

import type { TrainPoint, ValidationPoint } from "../../main/rpc/contract.ts";

/**
 * Exponential mean with start-up correction: y₀ = x₀, and early values are not drawn towards zero.
 * A gap (null) or a value that is not finite stays a gap and does not move the mean.
 */
export function smooth(values: readonly (number | null)[], halfLife: number): (number | null)[] {
  const keep = halfLife <= 0 ? 0 : 2 ** (-1 / halfLife);
  let sum = 0;
  let weight = 0;
  return values.map((value) => {
    if (value === null || !Number.isFinite(value)) return null;
    sum = keep * sum + (1 - keep) * value;
    weight = keep * weight + (1 - keep);
    return sum / weight;
  });
}

/** Steps over which a curve's smoothing forgets half: about a fortieth of it, between 1 and 200. */
export function halfLifeFor(count: number): number {
  return Math.min(200, Math.max(1, count / 40));
}

export interface Columns {
  steps: number[];
  loss: (number | null)[];
  learningRate: (number | null)[];
  gradNorm: (number | null)[];
  tokensPerSecond: (number | null)[];
}

export function columnsOf(points: readonly TrainPoint[]): Columns {
  const column = (read: (point: TrainPoint) => number): (number | null)[] =>
    points.map((point) => (Number.isFinite(read(point)) ? read(point) : null));
  return {
    steps: points.map(({ step }) => step),
    loss: column(({ lossNats }) => lossNats),
    learningRate: column(({ learningRate }) => learningRate),
    gradNorm: column(({ gradNorm }) => gradNorm),
    tokensPerSecond: column(({ tokensPerSecond }) => tokensPerSecond),
  };
}

/** The same with an empty step 0 before it, where the base stands. */
export function fromStepZero(columns: Columns): Columns {
  if (columns.steps[0] === 0) return columns;
  const from = <T,>(first: T, rest: readonly T[]): T[] => [first, ...rest];
  return {
    steps: from(0, columns.steps),
    loss: from(null, columns.loss),
    learningRate: from(null, columns.learningRate),
    gradNorm: from(null, columns.gradNorm),
    tokensPerSecond: from(null, columns.tokensPerSecond),
  };
}

/** Validation losses at the steps of a curve: null where there was no evaluation; undefined where there never was one. */
export function validationColumn(steps: readonly number[], validations: readonly ValidationPoint[]): (number | null)[] | undefined {
  if (validations.length === 0) return undefined;
  const losses = new Map(validations.map(({ step, lossNats }) => [step, lossNats]));
  return steps.map((step) => losses.get(step) ?? null);
}

/** Adds new points behind old ones; after going back to a checkpoint, what came later is replaced. */
export function joinPoints(known: readonly TrainPoint[], fresh: readonly TrainPoint[]): TrainPoint[] {
  const first = fresh[0];
  if (first === undefined) return [...known];
  const last = known.at(-1);
  const kept = last === undefined || last.step < first.step ? known : known.filter(({ step }) => step < first.step);
  return kept.concat(fresh);
}

/** A small curve as an SVG path in a box, from the highest to the lowest value; "" for fewer than two. */
export function sparkPath(values: readonly number[], { width, height }: { width: number; height: number }): string {
  const shown = values.filter(Number.isFinite);
  if (shown.length < 2) return "";
  const least = Math.min(...shown);
  const range = Math.max(...shown) - least;
  const x = (i: number): number => (i / (shown.length - 1)) * (width - 2) + 1;
  const y = (value: number): number => (range === 0 ? height / 2 : 1 + (1 - (value - least) / range) * (height - 2));
  return shown.map((value, i) => `${i === 0 ? "M" : "L"}${x(i).toFixed(1)} ${y(value).toFixed(1)}`).join("");
}
