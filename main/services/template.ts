// The template of prompts: the model's own chat template where it has one, else the Alpaca prompt. What was chosen is
// stored with the run and used again in probes and answers.

import { UserError } from "../../native-models/errors.ts";
import type { Readers } from "../engine/readers.ts";

export function chooseTemplate(readers: Readers, model: string, wanted: "auto" | "chat" | "alpaca"): "chat" | "alpaca" {
  if (wanted === "alpaca") return "alpaca";
  const hasOwn = readers.hasChatTemplate(model);
  if (wanted === "auto") return hasOwn ? "chat" : "alpaca";
  if (hasOwn) return "chat";
  throw new UserError({
    what: "The model has no chat template.",
    where: "template",
    fix: "Choose the template alpaca, or auto.",
  });
}
