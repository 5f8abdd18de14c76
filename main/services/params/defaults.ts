// The default of everything that is optional, and the choices that are names. The command line shows the same in --help.

import type { TaskName } from "../../../native-models/probe/task.ts";
import type { recomputedLevels } from "../../../native-models/training/memory-terms.ts";

export const scalings = ["raw", "official"] as const;
export const templates = ["auto", "chat", "alpaca"] as const;
export const overLongChoices = ["drop", "cut-prompt", "refuse"] as const;
export const splits = ["train", "validation", "test"] as const;
export type Split = (typeof splits)[number];

/** Probe tasks; their prompts and judges are in native-models/probe. */
export const taskNames = ["nq_open", "triviaqa", "webqs", "questions", "gsm8k", "math", "humaneval", "mbpp", "mt_bench"] as const satisfies readonly TaskName[];
export const wordings = ["plain", "template"] as const;

export const keepsChoices = ["best", "last"] as const;

const recomputed: typeof recomputedLevels = ["none", "cheap", "scores", "layer"];
export const recomputedChoices = ["auto", ...recomputed] as const;

export const defaults = {
  samples: 128,
  calibrationLength: 256,
  scaling: "raw",
  method: "lora-null-v2",
  rank: 16,
  epochs: 1,
  batch: 4,
  accumulate: 4,
  length: 512,
  overLong: "drop",
  learningRate: 2e-4,
  warmupRatio: 0.03,
  clipNorm: 1,
  weightDecay: 0,
  checkpointEverySteps: 25,
  validateEverySteps: 25,
  leastImprovementNats: 0,
  retentionEverySteps: 25,
  retentionLimit: 32,
  retentionShots: 5,
  keeps: "best",
  recomputed: "auto",
  seed: 0,
  /** Measured: 16 answer 22 questions/s on two cores, 32 and 64 some 24 to 25; more gain little and take more memory. */
  probeBatch: 64,
  judgeNewTokens: 1024,
  judgeTimeoutMs: 120_000,
} as const;
