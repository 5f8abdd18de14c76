// nullspace ask: one prompt, answered by the base and the tuned model.

import type { Command } from "commander";
import type { Context } from "../context.ts";
import { command } from "../options.ts";

interface Options {
  model: string;
  adapter?: string;
}

export function make(context: Context): Command {
  return command("ask", "Answers a prompt with the base model and, with an adapter, with the tuned model beside it.")
    .requiredOption("--model <DIR>", "model folder")
    .option("--adapter <DIR>", "PEFT folder of the tuned model")
    .argument("<PROMPT>", "what to ask")
    .action(async (prompt: string, { model, adapter }: Options) => {
      const columns = [{ label: "base", adapter: null }, ...(adapter === undefined ? [] : [{ label: "tuned", adapter }])];
      const streams = columns.length === 1; // two columns cannot grow side by side in a terminal
      const events = await context.client().ask.start({ model, columns, messages: [{ role: "user", content: prompt }] }, { signal: context.signal });
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
