// What training takes: its rows, its steps, what judges it on the way, and the memory it may have.

import { z } from "zod";
import { fitting, reading } from "./data.ts";
import { defaults, keepsChoices, recomputedChoices, templates } from "./defaults.ts";
import { count, learningRate, memoryBytes, path, seed } from "./fields.ts";
import { start } from "./stages.ts";

/** Rows that are not trained on and judge the run: a file of their own, or a number or share of the training rows. */
const validation = z
  .object({
    data: path.nullable().default(null),
    rows: count(1_000_000).nullable().default(null),
    share: z.number().gt(0).lt(1).nullable().default(null),
    everySteps: count(1_000_000).default(defaults.validateEverySteps),
    /** Evaluations without improvement after which training stops; null: it never stops early. */
    patience: count(1_000_000).nullable().default(null),
    /** Smallest fall of the loss that is an improvement. */
    leastImprovementNats: z.number().min(0).max(100).default(defaults.leastImprovementNats),
    /** Which state the adapter is made from: the lowest validation loss, or the last step. */
    keeps: z.enum(keepsChoices).default(defaults.keeps),
  })
  .refine(({ data, rows, share }) => [data, rows, share].filter((from) => from !== null).length === 1, "needs exactly one of data, rows and share")
  .nullable()
  .default(null);

/** The probe that rides along in training: what of the base's knowledge is still there. */
const retention = z
  .object({
    /** Questions with accepted answers; null: those of the probe, else those of the calibration. */
    questions: path.nullable().default(null),
    /** Example answers before each question: the file's first. */
    shots: z.int().min(0).max(64).default(defaults.retentionShots),
    /** Questions asked, chosen by the seed. */
    limit: count(10_000).default(defaults.retentionLimit),
    everySteps: count(1_000_000).default(defaults.retentionEverySteps),
    /** Share of the base's likelihood of right answers below which training stops; null: it never stops. */
    floor: z.number().gt(0).lt(1).nullable().default(null),
  })
  .nullable()
  .default(null);

export const training = {
  /** File or dataset folder. */
  data: path,
  ...reading,
  template: z.enum(templates).default("auto"),
  /** Exactly one of the two is set; with neither, one epoch. */
  steps: count(10_000_000).nullable().default(null),
  epochs: z.number().positive().max(10_000).nullable().default(null),
  batch: count(4096).default(defaults.batch),
  accumulate: count(4096).default(defaults.accumulate),
  ...fitting,
  learningRate: learningRate.default(defaults.learningRate),
  warmupRatio: z.number().min(0).max(1).default(defaults.warmupRatio),
  clipNorm: z.number().positive().nullable().default(defaults.clipNorm),
  weightDecay: z.number().min(0).max(10).default(defaults.weightDecay),
  checkpointEverySteps: count(1_000_000).default(defaults.checkpointEverySteps),
  validation,
  retention,
  /** What is computed again to save memory; auto: as little as fits. */
  recomputed: z.enum(recomputedChoices).default(defaults.recomputed),
  /** Memory that calibration and training may take; null: what the machine has free. */
  memoryBytes,
};

/** Training alone, from a start that `init` wrote. */
export const trainParams = z.object({
  name: z.string().max(200).nullable().default(null),
  model: path,
  init: path,
  ...training,
  seed: seed.default(defaults.seed),
  out: path,
  resume: z.boolean().default(false),
});

/** What decides about a training's memory. */
export const memoryParams = z.object({ model: path, ...start, ...training, seed: seed.default(defaults.seed) });

export type TrainSettings = z.output<typeof trainParams>;
export type MemorySettings = z.output<typeof memoryParams>;
