// A file of questions with accepted answers of one's own, in a prompt of one's choice.
// In: rows with a question and answers under any of the usual names. Out: questions scored as NQ-open's are.

import { textOf, textsOf } from "../columns.ts";
import { answerStops } from "../score.ts";
import type { ProbeTask } from "../task.ts";
import { shortAnswer } from "./short-answers.ts";

/** How a question is put: "{question}" stands for it. */
export interface PromptForm {
  /** Before the first example. */
  description: string;
  ask: string;
  /** Between examples. */
  delimiter: string;
}

export const promptForms = {
  nq_open: { description: "Answer these questions:\n\n", ask: "Q: {question}?\nA:", delimiter: "\n" },
  triviaqa: { description: "", ask: "Question: {question}?\nAnswer:", delimiter: "\n\n" },
  plain: { description: "", ask: "Question: {question}\nAnswer:", delimiter: "\n\n" },
} as const satisfies Record<string, PromptForm>;

const example = '{"question": "what is the capital of France", "answer": ["Paris"]}';
const place = "{question}";

export function questionsTask({ description, ask, delimiter }: PromptForm = promptForms.nq_open): ProbeTask {
  return {
    name: "questions",
    description,
    delimiter,
    shots: 0,
    newTokens: 32,
    stops: answerStops,
    asks: ["validation", "test", "train"],
    shows: ["train"],
    question(record) {
      const question = textOf(record, ["question", "Question", "prompt", "query", "instruction"], example);
      const accepted = textsOf(record, ["answer.aliases", "answers", "answer", "aliases", "accepted", "output"], example);
      return shortAnswer({ question, accepted, prompt: ask.split(place).join(question), normalisation: "nq_open", stops: answerStops });
    },
  };
}
