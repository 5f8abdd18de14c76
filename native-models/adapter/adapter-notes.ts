// nullspace.json, beside adapter_config.json: how the adapter's rows were put to the model in training, so that whoever
// asks the tuned model writes its prompts in the same way. PEFT does not look at it; a folder of PEFT's own has none.

import { join } from "node:path";
import { z } from "zod";
import { readJsonFile } from "../checkpoint/file-bytes.ts";
import { UserError } from "../errors.ts";

export const notesFile = "nullspace.json";
const largestNotesBytes = 4 * 1024 * 1024;

export interface AdapterNotes {
  /** Prompt template of training: the model's chat template, or the Alpaca prompt. */
  template: "chat" | "alpaca";
  /** Its exact text: Jinja of a chat template, or the Alpaca prompt with {instruction} and {response}. */
  templateText: string;
}

const fields = z.object({ version: z.literal(1), template: z.enum(["chat", "alpaca"]), templateText: z.string().max(1_000_000) });

export function notesText({ template, templateText }: AdapterNotes): string {
  return `${JSON.stringify({ version: 1, template, templateText }, null, 2)}\n`;
}

/** Null where the folder has none. */
export function readAdapterNotes(folder: string): AdapterNotes | null {
  const file = join(folder, notesFile);
  const json = readJsonFile(file, largestNotesBytes);
  if (json === null) return null;
  const parsed = fields.safeParse(json);
  if (parsed.success) return { template: parsed.data.template, templateText: parsed.data.templateText };
  const issue = parsed.error.issues[0]!;
  throw new UserError({ what: `${issue.message}.`, where: `${file}: ${issue.path.join(".")}`, fix: "Remove the file and name the template yourself, or make the adapter again." });
}
