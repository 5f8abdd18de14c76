// Validation, retention and memory as options of `train`, `run` and `estimate`.

import { Option, type Command } from "commander";
import { defaults, keepsChoices, recomputedChoices } from "../services/params/defaults.ts";
import { real, whole } from "./options.ts";

export interface ValidationOptions {
  validation?: string;
  validationRows?: number;
  validationShare?: number;
  validateEvery: number;
  patience?: number;
  leastImprovement: number;
  keep: (typeof keepsChoices)[number];
}

export interface RetentionOptions {
  retentionEvery?: number;
  retentionQuestions?: string;
  retentionLimit: number;
  retentionShots: number;
  retentionFloor?: number;
}

export interface MemoryOptions {
  recompute: (typeof recomputedChoices)[number];
  memoryLimit?: number;
}

export function addValidationOptions(command: Command): Command {
  return command
    .option("--validation <FILE>", "rows to validate on, like the training rows; the loss on them is shown and chooses the adapter")
    .option("--validation-rows <N>", "instead: so many of the training rows, held out by the seed", whole)
    .option("--validation-share <X>", "instead: that share of the training rows, such as 0.05", real)
    .option("--validate-every <N>", "steps between evaluations; the last step is always evaluated", whole, defaults.validateEverySteps)
    .option("--patience <N>", "stop after so many evaluations without improvement (default: never)", whole)
    .option("--least-improvement <X>", "smallest fall of the loss that is an improvement, nats a token", real, defaults.leastImprovementNats)
    .addOption(new Option("--keep <STATE>", "state that the adapter is made from with validation: the lowest validation loss, or the last step").choices(keepsChoices).default(defaults.keeps));
}

export function addRetentionOptions(command: Command): Command {
  return command
    .option("--retention-every <N>", "measure every so many steps what of the base's knowledge is still there: the likelihood of right answers against the base's (default: not measured)", whole)
    .option("--retention-questions <FILE>", "questions with answers to measure it on (default: those of --probe-questions, else of --questions)")
    .option("--retention-limit <K>", "questions asked each time, chosen by the seed", whole, defaults.retentionLimit)
    .option("--retention-shots <N>", "example answers before each of them: the file's first", whole, defaults.retentionShots)
    .option("--retention-floor <X>", "stop when it falls below that share, such as 0.9, and make the adapter from the last state above it (default: never)", real);
}

export function addMemoryOptions(command: Command): Command {
  return command
    .addOption(new Option("--recompute <LEVEL>", "what is computed again to save memory, from nothing to whole layers; auto: as little as fits").choices(recomputedChoices).default(defaults.recomputed))
    .option("--memory-limit <GB>", "memory that training may take, and calibration in run (default: what the machine has free)", real);
}

export function validationSettings(options: ValidationOptions) {
  const { validation: data, validationRows: rows, validationShare: share } = options;
  if (data === undefined && rows === undefined && share === undefined) return { validation: null };
  const { validateEvery: everySteps, patience, leastImprovement: leastImprovementNats, keep: keeps } = options;
  return { validation: { data: data ?? null, rows: rows ?? null, share: share ?? null, everySteps, patience: patience ?? null, leastImprovementNats, keeps } };
}

/** Measured where any of the three is given. */
export function retentionSettings({ retentionEvery, retentionQuestions, retentionLimit: limit, retentionShots: shots, retentionFloor }: RetentionOptions) {
  if (retentionEvery === undefined && retentionQuestions === undefined && retentionFloor === undefined) return { retention: null };
  return { retention: { questions: retentionQuestions ?? null, limit, shots, everySteps: retentionEvery ?? defaults.retentionEverySteps, floor: retentionFloor ?? null } };
}

export function memorySettings({ recompute, memoryLimit }: MemoryOptions) {
  return { recomputed: recompute, memoryBytes: memoryLimit === undefined ? null : Math.round(memoryLimit * 1e9) };
}
