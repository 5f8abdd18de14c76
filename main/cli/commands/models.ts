// nullspace models scan DIR

import type { Command } from "commander";
import type { Context } from "../context.ts";
import { command, group } from "../options.ts";
import { bytes, table } from "../tables.ts";

export function make(context: Context): Command {
  const scan = command("scan", "Finds model folders (config.json with .safetensors) in a folder and below it.")
    .argument("<DIR>", "folder to look in")
    .action(async (dir: string) => {
      const models = await context.client().models.scan({ dir });
      const rows = models.map((model) => [
        model.problem === null ? "ready" : "unusable",
        model.modelType ?? "",
        model.parameters === null ? "" : `${(model.parameters / 1e6).toFixed(0)} M`,
        bytes(model.sizeBytes),
        model.dtype ?? "",
        model.path,
      ]);
      const problems = models.flatMap(({ path, problem }) => (problem === null ? [] : [`${path}: ${problem.what} ${problem.fix}`]));
      const found = models.length === 0 ? `No model folders in ${dir}.` : table(["state", "type", "parameters", "size", "dtype", "folder"], rows);
      context.print({ models }, [found, ...problems].join("\n"));
    });
  return group("models", "Models on this machine.").addCommand(scan);
}
