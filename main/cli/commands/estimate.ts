// nullspace estimate: the memory that a training would take, before anything is started.

import { Option, type Command } from "commander";
import { defaults } from "../../services/params/defaults.ts";
import { methods } from "../../services/params/methods.ts";
import type { Context } from "../context.ts";
import { command, whole } from "../options.ts";
import { memoryText } from "../training-text.ts";
import { addTrainingOptions, trainingSettings, type TrainingOptions } from "../training-options.ts";

interface Options extends TrainingOptions {
  model: string;
  method: (typeof methods)[number];
  rank: number;
}

export function make(context: Context): Command {
  const estimate = command("estimate", "Says how much memory training would take with these settings, term by term, and what would fit where it does not.")
    .requiredOption("--model <DIR>", "model folder")
    .addOption(new Option("--method <NAME>", "how the adapter starts").choices(methods).default(defaults.method))
    .option("--rank <R>", "rank of the adapter", whole, defaults.rank);
  return addTrainingOptions(estimate).action(async (options: Options) => {
    const { model, method, rank } = options;
    const memory = await context.client().runs.estimate({ model, method, rank, ...trainingSettings(options) }, { signal: context.signal });
    if (memory === null) {
      context.end({ what: "The rows cannot be trained on with these settings.", where: options.data, fix: "Name their columns with --map, or raise --length; run says what is wrong with them.", isBug: false });
    }
    context.print({ memory }, memoryText(memory));
  });
}
