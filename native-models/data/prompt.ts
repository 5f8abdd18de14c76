// A conversation → the text that the model continues, by the template that the run was trained with.

import type { ChatMessage, Tokenizer } from "../checkpoint/types.ts";
import { UserError } from "../errors.ts";
import { alpacaPrompt } from "./alpaca.ts";
import type { TemplateName } from "./encode.ts";
import { encodeFromStart } from "./from-start.ts";

/** Template "none": the last message as plain text. */
export function renderPrompt(messages: readonly ChatMessage[], tokenizer: Tokenizer, template: TemplateName | "none"): string {
  if (template === "none") return messages.at(-1)?.content ?? "";
  if (template === "alpaca") return alpacaPrompt(messages, tokenizer.decode([tokenizer.eosId], { keepSpecial: true }));
  if (tokenizer.chatTemplate !== null) return tokenizer.chatTemplate(messages, { addGenerationPrompt: true });
  throw new UserError({ what: "The model has no chat template.", where: "template", fix: 'Choose the template "alpaca" or "none", or a model with a chat template.' });
}

/** Ids of a rendered prompt, as the template's rows were encoded in training. */
export function encodePrompt(prompt: string, tokenizer: Tokenizer, template: TemplateName | "none"): number[] {
  return template === "chat" ? tokenizer.encode(prompt) : encodeFromStart(prompt, tokenizer);
}
