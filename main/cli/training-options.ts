// Training options that `train` and `run` share.

import type { Command } from "commander";
import { defaults } from "../services/params.ts";
import { real, whole } from "./options.ts";

export interface TrainingOptions {
  data: string;
  steps?: number;
  epochs?: number;
  batch: number;
  accumulate: number;
  length: number;
  lr: number;
  seed: number;
}

export function addTrainingOptions(command: Command): Command {
  return command
    .requiredOption("--data <FILE>", "training rows: JSONL, JSON, CSV or Parquet (Alpaca, ShareGPT, messages, query/response, …)")
    .option("--steps <N>", "optimizer steps; instead of --epochs", whole)
    .option("--epochs <E>", `passes over the rows (default: ${defaults.epochs}, without --steps)`, real)
    .option("--batch <B>", "rows in one micro-batch", whole, defaults.batch)
    .option("--accumulate <K>", "micro-batches in one optimizer step", whole, defaults.accumulate)
    .option("--length <L>", "most tokens of a row; longer rows are dropped and counted", whole, defaults.length)
    .option("--lr <X>", "highest learning rate, after warm-up", real, defaults.learningRate)
    .option("--seed <S>", "seed of everything random, 0 or more", whole, defaults.seed);
}

export function trainingSettings({ data, steps, epochs, batch, accumulate, length, lr, seed }: TrainingOptions) {
  return { data, steps: steps ?? null, epochs: epochs ?? null, batch, accumulate, length, learningRate: lr, seed };
}
