// Training options that `train` and `run` share.

import type { Command } from "commander";
import { defaults } from "../services/params.ts";
import { real, whole } from "./options.ts";
import { addRowOptions, rowSettings, type RowOptions } from "./row-options.ts";

export interface TrainingOptions extends RowOptions {
  steps?: number;
  epochs?: number;
  batch: number;
  accumulate: number;
  lr: number;
  seed: number;
}

export function addTrainingOptions(command: Command): Command {
  return addRowOptions(command)
    .option("--steps <N>", "optimizer steps; instead of --epochs", whole)
    .option("--epochs <E>", `passes over the rows (default: ${defaults.epochs}, without --steps)`, real)
    .option("--batch <B>", "rows in one micro-batch", whole, defaults.batch)
    .option("--accumulate <K>", "micro-batches in one optimizer step", whole, defaults.accumulate)
    .option("--length <L>", "most tokens of a row", whole, defaults.length)
    .option("--lr <X>", "highest learning rate, after warm-up", real, defaults.learningRate)
    .option("--seed <S>", "seed of everything random, 0 or more", whole, defaults.seed);
}

export function trainingSettings({ steps, epochs, batch, accumulate, lr, seed, ...rows }: TrainingOptions) {
  return { ...rowSettings(rows), steps: steps ?? null, epochs: epochs ?? null, batch, accumulate, learningRate: lr, seed };
}
