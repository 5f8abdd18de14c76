// nullspace calibrate: Gram matrices of a model over calibration questions, or over the prompts of training rows.

import { Option, type Command } from "commander";
import { UserError } from "../../../native-models/errors.ts";
import { defaults, scalings, splits, type templates } from "../../services/params/defaults.ts";
import type { ColumnMapping } from "../../services/params/data.ts";
import type { Context } from "../context.ts";
import { finishStage } from "../finish-stage.ts";
import { command, real, whole } from "../options.ts";
import { parseMap, templateOption } from "../row-options.ts";

interface Options {
  model: string;
  questions?: string;
  data?: string;
  map?: ColumnMapping;
  split?: (typeof splits)[number];
  template: (typeof templates)[number];
  samples: number;
  scaling: (typeof scalings)[number];
  length: number;
  seed: number;
  memoryLimit?: number;
  out: string;
}

export function make(context: Context): Command {
  return command("calibrate", "Reads calibration text through the model and keeps the Gram matrix of every layer input: what the model must not forget.")
    .requiredOption("--model <DIR>", "model folder (config.json, .safetensors, tokenizer.json)")
    .option("--questions <FILE>", "world-knowledge questions, for what must be kept: JSONL, JSON, CSV or Parquet with a question column")
    .option("--data <FILE>", "training rows instead, whose prompts are read: for methods that look at the task")
    .option("--map <COLUMNS>", "of --data: which columns mean what, as in train", parseMap)
    .addOption(new Option("--split <NAME>", "of --data: split of a dataset folder (default: train)").choices(splits))
    .addOption(templateOption("of --data: how prompts are written"))
    .option("--samples <N>", "text samples to read", whole, defaults.samples)
    .option("--length <L>", "tokens a sample", whole, defaults.calibrationLength)
    .option("--seed <S>", "seed of the choice of text, 0 or more", whole, defaults.seed)
    .addOption(new Option("--scaling <NAME>", "weight of the samples: raw sums, or official: each divided by its largest input").choices(scalings).default(defaults.scaling))
    .option("--memory-limit <GB>", "memory that calibration may take: layers that do not fit at once are read range by range (default: what the machine has free)", real)
    .requiredOption("--out <FILE>", "Gram file to write (.safetensors)")
    .action(async ({ model, questions, data, map, split, template, samples, length, seed, scaling, memoryLimit, out }: Options) => {
      const settings = { model, samples, length, seed, scaling, memoryBytes: memoryLimit === undefined ? null : Math.round(memoryLimit * 1e9), out };
      const { calibrate, calibrateTask } = context.client().stages;
      const text = (result: { tokens: number; out: string }): string => `${result.tokens} tokens read; Gram matrices in ${result.out}`;
      if (questions !== undefined && data === undefined) return finishStage(context, await calibrate({ ...settings, questions }, { signal: context.signal }), text);
      if (data !== undefined && questions === undefined) {
        return finishStage(context, await calibrateTask({ ...settings, data, mapping: map ?? null, split: split ?? null, template }, { signal: context.signal }), text);
      }
      throw new UserError({ what: data === undefined ? "Neither --questions nor --data is given." : "Both --questions and --data are given.", where: "calibrate", fix: "Give one of the two: questions for what must be kept, training rows for the task." });
    });
}
