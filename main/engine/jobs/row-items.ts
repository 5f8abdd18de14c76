// Rows like a run's training rows as questions of a probe: asked in the run's template; right is the final number, or the
// same text where the answer has none.

import type { Tokenizer } from "../../../native-models/checkpoint/types.ts";
import { encodePrompt, renderPrompt } from "../../../native-models/data/prompt.ts";
import { openLikeRows } from "../../../native-models/data/rows/open.ts";
import type { TrainingRow } from "../../../native-models/data/rows/types.ts";
import { UserError } from "../../../native-models/errors.ts";
import { finalNumber, isFinalNumberMatch } from "../../../native-models/probe/number-answers.ts";
import { isContained } from "../../../native-models/probe/score.ts";
import type { ProbeJob } from "../answer-jobs.ts";
import type { ProbeItem } from "./probe-items.ts";

/** Most new tokens where nothing else is said. */
const newTokens = 256;

export async function rowItems(spec: ProbeJob, tokenizer: Tokenizer): Promise<ProbeItem[]> {
  const source = await openLikeRows(spec.questions, spec.mapping ?? null, spec.split ?? null);
  try {
    const items: ProbeItem[] = [];
    for await (const { index, row } of source.rows()) {
      if (spec.limit !== null && items.length === spec.limit) break;
      items.push(rowItem(index, row, tokenizer, spec));
    }
    return items;
  } finally {
    await source.close();
  }
}

function rowItem(index: number, { turns }: TrainingRow, tokenizer: Tokenizer, { template, questions: file, maxNewTokens }: ProbeJob): ProbeItem {
  const last = turns.findLastIndex(({ role }) => role === "assistant");
  if (last < 1) {
    throw new UserError({ what: `Row ${index + 1} has no question with an answer.`, where: file, fix: "Probe the task with rows that have both." });
  }
  const messages = turns.slice(0, last).flatMap(({ role, content }) => (role === "text" ? [] : [{ role, content }]));
  const gold = turns[last].content;
  const number = finalNumber(gold, "strict") ?? finalNumber(gold, "flexible");
  const prompt = renderPrompt(messages, tokenizer, template);
  const answer = template === "alpaca" ? ` ${gold}` : gold;
  return {
    index,
    question: messages.findLast(({ role }) => role === "user")?.content ?? "",
    accepted: [number ?? gold],
    prompt,
    promptIds: encodePrompt(prompt, tokenizer, template),
    answerIds: tokenizer.encode(answer),
    continuations: [],
    newTokens: maxNewTokens ?? newTokens,
    isFinished: () => false,
    judge({ text }) {
      if (number !== null) return { isExact: isFinalNumberMatch(text, gold, "flexible"), isContained: isContained(text, [number]) };
      return { isExact: text.trim() === gold.trim(), isContained: isContained(text, [gold]) };
    },
  };
}
