// What calibration, the start and the report on a start take, each alone or within a run.

import { z } from "zod";
import { reading } from "./data.ts";
import { defaults, scalings, templates } from "./defaults.ts";
import { count, memoryBytes, path, seed } from "./fields.ts";
import { methods } from "./methods.ts";

export const calibration = {
  /** JSONL or CSV of questions. */
  questions: path,
  samples: count(100_000).default(defaults.samples),
  /** Tokens a sample. */
  calibrationLength: z.int().min(8).max(131_072).default(defaults.calibrationLength),
  /** How samples are weighed: "official" divides each by its largest input, as the LoRA-Null code does. */
  scaling: z.enum(scalings).default(defaults.scaling),
};

export const start = {
  method: z.enum(methods).default(defaults.method),
  rank: count(65_536).default(defaults.rank),
};

const calibrationAlone = {
  model: path,
  samples: calibration.samples,
  length: calibration.calibrationLength,
  scaling: calibration.scaling,
  seed: seed.default(defaults.seed),
  /** Memory that calibration may take; null: what the machine has free. */
  memoryBytes,
  out: path,
};
export const calibrateParams = z.object({ ...calibrationAlone, questions: path });
/** The prompts of training rows. */
export const calibrateTaskParams = z.object({ ...calibrationAlone, data: path, ...reading, template: z.enum(templates).default("auto") });

export const initParams = z.object({
  model: path,
  grams: path.nullable().default(null),
  /** Of the training prompts, for methods that look at the task. */
  taskGrams: path.nullable().default(null),
  ...start,
  seed: seed.default(defaults.seed),
  out: path,
});

/** What a start looks like; one of the two Gram files at least. */
export const startReportParams = z.object({ model: path, init: path, grams: path.nullable().default(null), taskGrams: path.nullable().default(null) });

export type CalibrateStart = z.output<typeof calibrateParams>;
export type CalibrateTaskStart = z.output<typeof calibrateTaskParams>;
export type StartReportStart = z.output<typeof startReportParams>;
export type InitStart = z.output<typeof initParams>;
