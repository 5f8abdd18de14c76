// nullspace probe: what the model knows, base and tuned together.

import type { Command } from "commander";
import { defaults } from "../../services/params.ts";
import type { Context } from "../context.ts";
import { command, whole } from "../options.ts";
import { probeText } from "../tables.ts";

interface Options {
  model: string;
  adapter?: string;
  questions: string;
  shots: number;
  shotsFrom?: string;
  limit?: number;
}

export function make(context: Context): Command {
  return command("probe", "Asks world-knowledge questions and scores the answers; with an adapter, of base and tuned model together.")
    .requiredOption("--model <DIR>", "model folder")
    .option("--adapter <DIR>", "PEFT folder of the tuned model; without it the base alone is asked")
    .requiredOption("--questions <FILE>", "questions with accepted answers")
    .option("--shots <N>", "example answers before each question: the file's first, which are then not asked", whole, defaults.shots)
    .option("--shots-from <FILE>", "questions whose first ones are the examples instead")
    .option("--limit <N>", "most questions to ask (default: all)", whole)
    .action(async ({ model, adapter, questions, shots, shotsFrom, limit }: Options) => {
      const client = context.client();
      const { id } = await client.probe.start({ model, adapter: adapter ?? null, questions, shots, shotsFrom: shotsFrom ?? null, limit: limit ?? null });
      const cancel = () => void client.probe.cancel({ id }).catch(() => {}); // it has just ended: the loop below sees it
      if (context.signal.aborted) cancel();
      context.signal.addEventListener("abort", cancel);
      for await (const event of await client.probe.follow({ id })) {
        if (event.type === "probe" && event.probe.progress !== null) context.progress.show(event.probe.progress);
        if (event.type !== "ended") continue;
        const { probe } = event;
        if (probe.status === "done") context.print({ probe }, probeText(probe));
        else context.end(probe.error, { probe });
      }
    });
}
