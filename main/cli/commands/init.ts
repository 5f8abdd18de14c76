// nullspace init: the start of an adapter.

import { Option, type Command } from "commander";
import { defaults } from "../../services/params/defaults.ts";
import type { methods } from "../../services/params/methods.ts";
import type { Context } from "../context.ts";
import { finishStage } from "../finish-stage.ts";
import { methodOption, methodsHelp } from "../method-options.ts";
import { command, whole } from "../options.ts";
import { pictureFormats, writeStartReport, type PictureFormat } from "../start-report.ts";

interface Options {
  model: string;
  grams?: string;
  taskGrams?: string;
  method: (typeof methods)[number];
  rank: number;
  seed: number;
  out: string;
  report?: string;
  reportFormat: PictureFormat;
}

export function make(context: Context): Command {
  return command("init", "Makes an adapter's start. LoRA-Null puts it into the null space of what calibration read; v2 keeps A frozen there, v1 trains both.")
    .requiredOption("--model <DIR>", "model folder")
    .option("--grams <FILE>", "Gram file that `calibrate --questions` wrote")
    .option("--task-grams <FILE>", "Gram file that `calibrate --data` wrote")
    .addOption(methodOption())
    .option("--rank <R>", "rank of the adapter, 1 or more", whole, defaults.rank)
    .option("--seed <S>", "seed of everything random, 0 or more", whole, defaults.seed)
    .requiredOption("--out <DIR>", "folder to write")
    .option("--report <DIR>", "also write what the start looks like: spectra with the cut at the rank, energies, angles, as JSON and pictures")
    .addOption(new Option("--report-format <FORMAT>", "pictures of the report").choices(pictureFormats).default("both"))
    .addHelpText("after", methodsHelp())
    .action(async ({ model, grams, taskGrams, method, rank, seed, out, report, reportFormat }: Options) => {
      const events = await context.client().stages.init({ model, grams: grams ?? null, taskGrams: taskGrams ?? null, method, rank, seed, out }, { signal: context.signal });
      await finishStage(context, events, (result) => {
        const energy = result.energyShare === null ? "" : `, ${(result.energyShare * 100).toPrecision(3)} % of the calibration energy in the update space`;
        const bound = result.energyExcess === null ? "" : ` (of every layer at most ${result.energyExcess.toExponential(0)} above the least possible)`;
        return `${result.modules} projections, ${result.parameters} parameters${energy}${bound}; start in ${result.out}`;
      });
      if (report === undefined) return;
      const looked = await context.client().stages.report({ model, init: out, grams: grams ?? null, taskGrams: taskGrams ?? null }, { signal: context.signal });
      await writeStartReport(context, looked, report, reportFormat);
    });
}
