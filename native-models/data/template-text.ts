// A prompt template as people can read it: its exact text, and a short conversation written out by it.

import type { Tokenizer } from "../checkpoint/types.ts";
import { UserError } from "../errors.ts";
import { alpacaPrompt } from "./alpaca.ts";
import type { TemplateName } from "./encode.ts";
import { encodeFromStart } from "./from-start.ts";

export interface TemplateView {
  name: TemplateName;
  /** Jinja of the model's chat template, or the Alpaca prompt with its places. */
  text: string;
  /** One question and its answer as the model sees them, special tokens written out; null where the template takes none. */
  example: string | null;
}

const [question, answer] = ["{instruction}", "{response}"];

/** The exact text, to be stored with what was trained by it. */
export function templateText(tokenizer: Tokenizer, template: TemplateName): string {
  if (template === "chat") return tokenizer.chatTemplateText ?? "";
  return `${alpacaPrompt([{ role: "user", content: question }], "")} ${answer}${special(tokenizer, tokenizer.eosId)}`;
}

export function viewTemplate(tokenizer: Tokenizer, name: TemplateName): TemplateView {
  const text = templateText(tokenizer, name);
  if (name === "chat") return { name, text, example: chatExample(tokenizer) };
  const start = encodeFromStart("", tokenizer).map((id) => special(tokenizer, id)).join("");
  return { name, text, example: start + text };
}

function chatExample(tokenizer: Tokenizer): string | null {
  try {
    return tokenizer.chatTemplate?.([{ role: "user", content: question }, { role: "assistant", content: answer }], { addGenerationPrompt: false }) ?? null;
  } catch (error) {
    if (error instanceof UserError) return null; // a template that refuses so short a conversation still has its text
    throw error;
  }
}

function special(tokenizer: Tokenizer, id: number): string {
  return tokenizer.decode([id], { keepSpecial: true });
}
