// nullspace ask: one prompt, answered by the base and the tuned model.

import type { Command } from "commander";
import type { Context } from "../context.ts";
import type { templates } from "../../services/params.ts";
import { command } from "../options.ts";
import { templateOption } from "../row-options.ts";

interface Options {
  model: string;
  adapter?: string;
  template: (typeof templates)[number];
}

export function make(context: Context): Command {
  return command("ask", "Answers a prompt with the base model and, with an adapter, with the tuned model beside it.")
    .requiredOption("--model <DIR>", "model folder")
    .option("--adapter <DIR>", "PEFT folder of the tuned model")
    .addOption(templateOption("how the prompt is written; auto: as the adapter was trained, else the model's own"))
    .argument("<PROMPT>", "what to ask")
    .action(async (prompt: string, { model, adapter, template }: Options) => {
      const columns = [{ label: "base", adapter: null }, ...(adapter === undefined ? [] : [{ label: "tuned", adapter }])];
      const streams = columns.length === 1; // two columns cannot grow side by side in a terminal
      const events = await context.client().ask.start({ model, columns, template, messages: [{ role: "user", content: prompt }] }, { signal: context.signal });
      for await (const event of events) {
        if (event.type === "progress") context.progress.show(event.progress);
        else if (event.type === "warning") context.note(`Warning: ${event.warning.what} ${event.warning.fix}`);
        else if (event.type === "token") {
          if (streams) context.write(event.text);
        } else {
          const { result, chatId } = event;
          const text = streams ? "" : result.answers.map((answer) => `--- ${answer.label}\n${answer.text.trim()}`).join("\n\n");
          context.print({ result, chatId }, text);
        }
      }
      context.signal.throwIfAborted();
    });
}
