// The columns of a comparison as rows for the answerer: each conversation written out by the template, each adapter read.

import type { AdapterFeeds } from "../../../native-models/answering/adapter-feeds.ts";
import type { Row } from "../../../native-models/answering/answerer.ts";
import type { Tokenizer } from "../../../native-models/checkpoint/types.ts";
import { encodePrompt, renderPrompt } from "../../../native-models/data/prompt.ts";
import { UserError } from "../../../native-models/errors.ts";
import type { Columns } from "../answer-jobs.ts";
import { withTemplate } from "./open-tokenizer.ts";
import { warmAdapters, type Warm } from "./warm-answerer.ts";

export interface ColumnPrompts {
  /** One a column: its prompt's tokens and its adapter. */
  rows: Row[];
  /** One a column: the text that those tokens are. */
  prompts: string[];
  adapters: AdapterFeeds;
  tokenizer: Tokenizer;
}

export function columnPrompts(warm: Warm, { columns, template, chatTemplate }: Columns): ColumnPrompts {
  const { maxLength } = warm.answerer;
  const tokenizer = withTemplate(warm.tokenizer, chatTemplate);
  const paths = [...new Set(columns.flatMap(({ adapter }) => adapter ?? []))];
  const prompts = columns.map(({ messages }) => renderPrompt(messages, tokenizer, template));
  const rows = columns.map(({ adapter }, i) => ({ ids: encodePrompt(prompts[i], tokenizer, template), adapter: adapter === null ? null : paths.indexOf(adapter) }));
  const lengths = rows.map(({ ids }) => ids.length);
  const [shortest, longest] = [Math.min(...lengths), Math.max(...lengths)];
  if (shortest === 0 || longest >= maxLength) {
    throw new UserError({
      what: `The conversation has ${shortest === 0 ? 0 : longest} tokens; the model takes 1 to ${maxLength - 1}.`,
      where: "ask: messages",
      fix: shortest === 0 ? "Write a prompt." : "Start a new conversation, or shorten the prompt.",
    });
  }
  return { rows, prompts, adapters: warmAdapters(warm, paths), tokenizer };
}
