// What a run of all stages takes, and looks at runs.

import { z } from "zod";
import { runProbe } from "./asking.ts";
import { defaults } from "./defaults.ts";
import { count, id, learningRate, path, seed } from "./fields.ts";
import { defaultLearningRates } from "./methods.ts";
import { calibration, start } from "./stages.ts";
import { training } from "./training.ts";

/** All stages: calibrate → init → train → probe. */
export const runParams = z.object({
  name: z.string().max(200).nullable().default(null),
  model: path,
  ...calibration,
  ...start,
  ...training,
  /** Default: by the method. */
  learningRate: learningRate.optional(),
  seed: seed.default(defaults.seed),
  /** World knowledge, short answers. */
  probe: runProbe,
  /** The task itself: rows like the training rows, final answers compared. */
  taskProbe: runProbe,
  /** Go on with the newest stopped run of the same settings, where there is one. */
  continueStopped: z.boolean().default(false),
}).transform((run) => ({ ...run, learningRate: run.learningRate ?? defaultLearningRates[run.method] }));

/** A run's adapter, the last or the best of its checkpoints, or that of a step. */
export const runSubject = z.object({ kind: z.literal("run"), runId: id, at: z.union([z.enum(["adapter", "last", "best"]), z.int().min(1)]).default("adapter") });

export const runIdParams = z.object({ runId: id });

export const followRunParams = z.object({ id, afterStep: z.int().min(0).default(0) });
export const pointsParams = z.object({
  id,
  afterStep: z.int().min(0).default(0),
  limit: count(1_000_000).default(100_000),
  /** Thin the points evenly to about this many, for a small curve; null: every point. */
  most: count(1_000_000).nullable().default(null),
});

export type RunSettings = z.output<typeof runParams>;
