// The tokenizer of a job: the model's own, with the chat template that was stored with the run where there is one.
// The last one opened is kept: a warm process counts the rows of one model again and again.

import { statSync } from "node:fs";
import { join } from "node:path";
import { openTokenizer } from "../../../native-models/checkpoint/tokenizer.ts";
import type { Tokenizer } from "../../../native-models/checkpoint/types.ts";

let last: { key: string; tokenizer: Tokenizer } | null = null;

export function jobTokenizer(model: string, chatTemplate: string | null | undefined): Tokenizer {
  const key = JSON.stringify([model, ...["tokenizer.json", "tokenizer_config.json", "chat_template.jinja"].map((name) => stampOf(join(model, name)))]);
  if (last?.key !== key) last = { key, tokenizer: openTokenizer(model) };
  return withTemplate(last.tokenizer, chatTemplate);
}

export function withTemplate(tokenizer: Tokenizer, chatTemplate: string | null | undefined): Tokenizer {
  if (chatTemplate === null || chatTemplate === undefined || chatTemplate === tokenizer.chatTemplateText) return tokenizer;
  return tokenizer.withChatTemplate(chatTemplate, "the chat template that was stored with the run");
}

function stampOf(file: string): string {
  const found = statSync(file, { throwIfNoEntry: false });
  return found === undefined ? "" : `${found.size} ${found.mtimeMs}`;
}
