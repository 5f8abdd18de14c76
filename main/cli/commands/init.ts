// nullspace init: the start of an adapter.

import { Option, type Command } from "commander";
import { defaults, methods } from "../../services/params.ts";
import type { Context } from "../context.ts";
import { finishStage } from "../finish-stage.ts";
import { command, whole } from "../options.ts";

interface Options {
  model: string;
  grams?: string;
  method: (typeof methods)[number];
  rank: number;
  out: string;
}

export function make(context: Context): Command {
  return command("init", "Makes an adapter's start. LoRA-Null puts it into the null space of what calibration read; v2 keeps A frozen there, v1 trains both.")
    .requiredOption("--model <DIR>", "model folder")
    .option("--grams <FILE>", "Gram file of calibrate; needed by the lora-null methods")
    .addOption(new Option("--method <NAME>", "how the adapter starts").choices(methods).default(defaults.method))
    .option("--rank <R>", "rank of the adapter, 1 or more", whole, defaults.rank)
    .requiredOption("--out <DIR>", "folder to write")
    .action(async ({ model, grams, method, rank, out }: Options) => {
      const events = await context.client().stages.init({ model, grams: grams ?? null, method, rank, out }, { signal: context.signal });
      await finishStage(context, events, (result) => {
        const energy = result.energyShare === null ? "" : `, ${(result.energyShare * 100).toPrecision(3)} % of the calibration energy in the update space`;
        return `${result.modules} projections, ${result.parameters} parameters${energy}; start in ${result.out}`;
      });
    });
}
