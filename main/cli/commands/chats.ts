// nullspace chats list|export|rename|delete: the saved conversations; the window sees the same ones.

import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { Option, type Command } from "commander";
import { UserError } from "../../../native-models/errors.ts";
import type { Context } from "../context.ts";
import { command, group, whole } from "../options.ts";
import { table, time } from "../tables.ts";

export function make(context: Context): Command {
  const id = "<ID>";
  const about = "number of the conversation";
  const list = command("list", "Lists the conversations, last used first.")
    .option("--search <TEXT>", "only those that hold this text in title, prompts or answers", "")
    .action(async ({ search }: { search: string }) => {
      const chats = await context.client().chats.list({ search });
      const rows = chats.map((chat) => [String(chat.id), time(chat.updatedMs), String(chat.turns), chat.subjects.map(({ label }) => label).join(" | "), chat.title]);
      context.print({ chats }, rows.length === 0 ? "No conversations." : table(["id", "used (UTC)", "turns", "models", "title"], rows));
    });

  const write = command("export", "Writes a conversation out, to a file or to the terminal.")
    .argument(id, about, whole)
    .addOption(new Option("--format <F>", "Markdown to read, JSON for programs").choices(["markdown", "json"]).default("markdown"))
    .option("--out <FILE>", "file to write")
    .action(async (chatId: number, { format, out }: { format: "markdown" | "json"; out?: string }) => {
      const { text } = await context.client().chats.export({ id: chatId, format });
      if (out === undefined) return context.print({ text }, text.trimEnd());
      const file = resolve(out);
      try {
        writeFileSync(file, text);
      } catch (cause) {
        throw new UserError({ what: `The file cannot be written: ${(cause as Error).message}.`, where: file, fix: "Choose another place." }, { cause });
      }
      context.print({ file }, `Written to ${file}`);
    });

  const rename = command("rename", "Gives a conversation another title.")
    .argument(id, about, whole)
    .argument("<TITLE>", "the new title")
    .action(async (chatId: number, title: string) => {
      await context.client().chats.rename({ id: chatId, title });
      context.print({ renamed: chatId, title }, `Conversation ${chatId} is now: ${title}`);
    });

  const remove = command("delete", "Deletes a conversation; votes on it stay counted.")
    .argument(id, about, whole)
    .action(async (chatId: number) => {
      await context.client().chats.forget({ id: chatId });
      context.print({ deleted: chatId }, `Conversation ${chatId} is deleted.`);
    });

  return group("chats", "Conversations: list, export, rename, delete.").addCommand(list).addCommand(write).addCommand(rename).addCommand(remove);
}
