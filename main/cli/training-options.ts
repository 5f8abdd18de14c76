// Training options that `train` and `run` share.

import type { Command } from "commander";
import { defaults } from "../services/params/defaults.ts";
import { real, whole } from "./options.ts";
import { addRowOptions, rowSettings, type RowOptions } from "./row-options.ts";
import { addMemoryOptions, addRetentionOptions, addValidationOptions, memorySettings, retentionSettings, validationSettings, type MemoryOptions, type RetentionOptions, type ValidationOptions } from "./validation-options.ts";

export interface TrainingOptions extends RowOptions, ValidationOptions, RetentionOptions, MemoryOptions {
  steps?: number;
  epochs?: number;
  batch: number;
  accumulate: number;
  lr?: number;
  checkpointEvery: number;
  seed: number;
}

export function addTrainingOptions(command: Command): Command {
  const withSteps = addRowOptions(command)
    .option("--steps <N>", "optimizer steps; instead of --epochs", whole)
    .option("--epochs <E>", `passes over the rows (default: ${defaults.epochs}, without --steps)`, real)
    .option("--batch <B>", "rows in one micro-batch", whole, defaults.batch)
    .option("--accumulate <K>", "micro-batches in one optimizer step", whole, defaults.accumulate)
    .option("--length <L>", "most tokens of a row", whole, defaults.length)
    .option("--lr <X>", `highest learning rate, after warm-up (default: ${defaults.learningRate}; in run by the method, see below)`, real)
    .option("--checkpoint-every <N>", "steps between checkpoints", whole, defaults.checkpointEverySteps)
    .option("--seed <S>", "seed of everything random, 0 or more", whole, defaults.seed);
  return addMemoryOptions(addRetentionOptions(addValidationOptions(withSteps)));
}

export function trainingSettings(options: TrainingOptions) {
  const { steps, epochs, batch, accumulate, lr, checkpointEvery, seed } = options;
  return {
    ...rowSettings(options), ...validationSettings(options), ...retentionSettings(options), ...memorySettings(options), steps: steps ?? null, epochs: epochs ?? null, batch, accumulate,
    ...(lr !== undefined && { learningRate: lr }), checkpointEverySteps: checkpointEvery, seed,
  };
}
