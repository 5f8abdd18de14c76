// What a run will do about memory: how much is computed again instead of held, and how it validates.
// In: the model, the rows of the run and the memory there is. Out: the plan with its estimate, and settings that would fit
// where it does not. Compiling a program takes half a second for thirty layers, so each is compiled once.

import type { Checkpoint } from "../checkpoint/types.ts";
import { UserError } from "../errors.ts";
import type { OnnxProgram } from "../graph/emit-onnx.ts";
import { buildAdamWProgram, type AdamWSettings } from "../programs/adamw-program.ts";
import type { AdapterKind } from "../programs/adapters.ts";
import { buildLossProgram } from "../programs/loss-program.ts";
import { buildTrainProgram, type Recomputed, type TrainProgram } from "../programs/train-program.ts";
import type { RowSize } from "./heaviest.ts";
import { estimateMemory, type MemoryEstimate } from "./memory-estimate.ts";
import { memoryTerms } from "./memory-terms.ts";
import type { ValidatesBy } from "./validator.ts";

export interface MemoryPlan extends MemoryEstimate {
  recomputed: Recomputed;
  /** How validation and retention are worked out; null without them. */
  validatesBy: ValidatesBy | null;
  /** Memory that training may take. */
  availableBytes: number;
  fits: boolean;
  /** Settings that would fit; empty where the plan fits. */
  proposals: MemoryProposal[];
}

export interface MemoryProposal {
  batch: number;
  accumulate: number;
  /** Most tokens a row may have. */
  length: number;
  totalBytes: number;
}

type StepSettings = Omit<MemoryProposal, "totalBytes">;

/** Heaviest micro-batches of the run with these settings; none where they leave no row. */
export interface RunRows {
  training(settings: StepSettings): RowSize[][];
  /** Null without validation. */
  validation: ((settings: StepSettings) => RowSize[][]) | null;
  /** What retention is measured on by either way; null where it is not measured. */
  retention: ((by: ValidatesBy) => RowSize[][]) | null;
}

/** Most tokens that the loss program takes in a row: questions with common examples are joined to one. */
export function evaluatedLength(length: number, { retention }: RunRows): number {
  return Math.max(length, ...(retention?.("forward") ?? []).flat().map(({ tokens }) => tokens));
}

export interface MemoryQuestion {
  checkpoint: Checkpoint;
  rank: number;
  kind: AdapterKind;
  optimizer: AdamWSettings;
  batch: number;
  accumulate: number;
  length: number;
  rows: RunRows;
  recomputed: Recomputed | "auto";
  /** How a resumed run validated so far, so that its losses stay comparable to the last bit; null: free to choose. */
  validatesBy: ValidatesBy | null;
  availableBytes: number;
}

export interface MemoryPlanner {
  plan: MemoryPlan;
  /** The gradient program of the plan. */
  compiled: TrainProgram;
}

const shortestProposal = 32;

export function planMemory(question: MemoryQuestion): MemoryPlanner {
  const { checkpoint, rank, kind, length, availableBytes } = question;
  const { vocabulary } = checkpoint.config;
  const compile = once((recomputed: Recomputed) => buildTrainProgram(checkpoint, { rank, kind, maxLength: length, recomputed }));
  const { validation: validates, retention: retains } = question.rows;
  const lossProgram = once((_: "loss") => buildLossProgram(checkpoint, { rank, kind, maxLength: evaluatedLength(length, question.rows), tellsTokens: retains !== null }));
  const update = buildAdamWProgram(question.optimizer);

  const estimate = (way: Way, { batch, accumulate, length: most }: StepSettings): MemoryEstimate => {
    const program: OnnxProgram | null = way.validatesBy === "forward" ? lossProgram("loss") : null;
    const training = question.rows.training({ batch, accumulate, length: most });
    const measured = way.validatesBy === null ? [] : (retains?.(way.validatesBy) ?? []);
    const evaluated = [...(validates?.({ batch, accumulate, length: most }) ?? []), ...measured];
    return estimateMemory({
      compiled: compile(way.recomputed),
      update,
      vocabulary,
      // What the gradient program evaluates counts as trained.
      microBatches: program ? training : [...training, ...evaluated],
      accumulates: accumulate > 1 || (evaluated.length > 0 && !program),
      validation: program && { program, microBatches: evaluated },
    });
  };

  const { batch, accumulate } = question;
  const tried = waysOf(question).map((way) => ({ way, made: estimate(way, { batch, accumulate, length }) }));
  const chosen = tried.find(({ made }) => made.totalBytes <= availableBytes) ?? tried.at(-1)!;
  const fits = chosen.made.totalBytes <= availableBytes;
  const plan: MemoryPlan = { ...chosen.made, ...chosen.way, availableBytes, fits, proposals: fits ? [] : propose(question, (settings) => (question.rows.training(settings).length === 0 ? Infinity : estimate(chosen.way, settings).totalBytes)) };
  return { plan, compiled: compile(chosen.way.recomputed) };
}

interface Way {
  recomputed: Recomputed;
  validatesBy: ValidatesBy | null;
}

/** Ways to run, the quickest first. */
function waysOf({ recomputed, rows, validatesBy }: MemoryQuestion): Way[] {
  const levels: readonly Recomputed[] = recomputed === "auto" ? ["cheap", "scores", "layer"] : [recomputed];
  const validates: readonly (ValidatesBy | null)[] = rows.validation === null && rows.retention === null ? [null] : validatesBy === null ? ["forward", "gradients"] : [validatesBy];
  return levels.flatMap((level) => validates.map((by) => ({ recomputed: level, validatesBy: by })));
}

/** The same step in smaller micro-batches, else shorter rows: the first of each that fits. */
function propose({ batch, accumulate, length, availableBytes }: MemoryQuestion, totalBytes: (settings: StepSettings) => number): MemoryProposal[] {
  const firstThatFits = (candidates: readonly StepSettings[]): MemoryProposal[] => {
    for (const candidate of candidates) {
      const bytes = totalBytes(candidate);
      if (bytes <= availableBytes) return [{ ...candidate, totalBytes: bytes }];
    }
    return [];
  };
  const smaller = halvesOf(batch, 1).map((rows) => ({ batch: rows, accumulate: Math.ceil((batch * accumulate) / rows), length }));
  const shorter = halvesOf(length, shortestProposal).map((tokens) => ({ batch: 1, accumulate: batch * accumulate, length: tokens }));
  return [...firstThatFits(smaller), ...firstThatFits(shorter)].slice(0, 2);
}

function halvesOf(count: number, least: number): number[] {
  const halves: number[] = [];
  for (let half = count >> 1; half >= least; half >>= 1) halves.push(half);
  return halves;
}

/** Refuses a plan that does not fit, with its terms and what would fit. */
export function requireFits(plan: MemoryPlan, where: string): void {
  if (plan.fits) return;
  const { microBatch, terms } = plan;
  const parts = memoryTerms.filter((term) => terms[term] > 0).map((term) => `${term} ${gigabytes(terms[term])}`);
  const fits = plan.proposals.map(({ batch, accumulate, length, totalBytes }) => `batch ${batch} × accumulate ${accumulate} with rows of at most ${length} tokens (${gigabytes(totalBytes)} GB)`);
  throw new UserError({
    what: `Training would take ${gigabytes(plan.totalBytes)} GB of memory, but ${gigabytes(plan.availableBytes)} GB may be taken. In GB: ${parts.join(", ")}; its largest micro-batch has ${microBatch.rows} rows and ${microBatch.tokens} tokens, ${microBatch.trained} of them trained.`,
    where,
    fix: fits.length > 0 ? `Take ${fits.join(", or ")}.` : "Close other programs, take a lower rank, or train a smaller model.",
  });
}

export function gigabytes(bytes: number): string {
  return (bytes / 1e9).toFixed(2);
}

function once<K extends string, V>(make: (key: K) => V): (key: K) => V {
  const made = new Map<K, V>();
  return (key) => {
    const known = made.get(key);
    if (known !== undefined) return known;
    const value = make(key);
    made.set(key, value);
    return value;
  };
}
