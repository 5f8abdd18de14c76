// nullspace calibrate: Gram matrices of a model over calibration questions.

import { Option, type Command } from "commander";
import { defaults, scalings } from "../../services/params.ts";
import type { Context } from "../context.ts";
import { finishStage } from "../finish-stage.ts";
import { command, whole } from "../options.ts";

interface Options {
  model: string;
  questions: string;
  samples: number;
  scaling: (typeof scalings)[number];
  length: number;
  seed: number;
  out: string;
}

export function make(context: Context): Command {
  return command("calibrate", "Reads calibration text through the model and keeps the Gram matrix of every layer input: what the model must not forget.")
    .requiredOption("--model <DIR>", "model folder (config.json, .safetensors, tokenizer.json)")
    .requiredOption("--questions <FILE>", "world-knowledge questions: JSONL, JSON, CSV or Parquet with a question column")
    .option("--samples <N>", "text samples to read", whole, defaults.samples)
    .option("--length <L>", "tokens a sample", whole, defaults.calibrationLength)
    .option("--seed <S>", "seed of the choice of text, 0 or more", whole, defaults.seed)
    .addOption(new Option("--scaling <NAME>", "weight of the samples: raw sums, or official: each divided by its largest input").choices(scalings).default(defaults.scaling))
    .requiredOption("--out <FILE>", "Gram file to write (.safetensors)")
    .action(async ({ model, questions, samples, length, seed, scaling, out }: Options) => {
      const events = await context.client().stages.calibrate({ model, questions, samples, length, seed, scaling, out }, { signal: context.signal });
      await finishStage(context, events, (result) => `${result.tokens} tokens read; Gram matrices in ${result.out}`);
    });
}
