// nullspace train: trains an adapter from its start, as a run that window and command line know.

import type { Command } from "commander";
import type { Context } from "../context.ts";
import { endRun, followRun } from "../follow-run.ts";
import { command } from "../options.ts";
import { memoryLine, retentionText, validationText } from "../training-text.ts";
import { addTrainingOptions, trainingSettings, type TrainingOptions } from "../training-options.ts";

interface Options extends TrainingOptions {
  model: string;
  init: string;
  out: string;
  resume?: boolean;
}

export function make(context: Context): Command {
  const train = command("train", "Trains an adapter from the start that init made, and writes it as a PEFT folder that loads on the untouched model.")
    .requiredOption("--model <DIR>", "model folder")
    .requiredOption("--init <DIR>", "folder that init wrote");
  return addTrainingOptions(train)
    .requiredOption("--out <DIR>", "folder to write: checkpoints/, adapter/, start/")
    .option("--resume", "go on from the last checkpoint in --out")
    .action(async (options: Options) => {
      const { model, init, out, resume } = options;
      const { id } = await context.client().stages.train({ model, init, out, resume: resume ?? false, ...trainingSettings(options) });
      const run = await followRun(context, id);
      endRun(context, run, () => [`Run ${id}: ${run.lastStep} steps, loss ${run.lastLossNats?.toFixed(3) ?? "unknown"} nats a token; adapter in ${run.adapter}`, ...validationText(run), ...retentionText(run), ...memoryLine(run)].join("\n"));
    });
}
