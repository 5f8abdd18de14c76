// Questions with short accepted answers: TriviaQA, NQ-open and files of one's own are one task in different words.

import { optionalText, textOf, textsOf } from "../../data/columns.ts";
import { answerStops, filterGeneration, isContained, isExactMatch, type Normalisation } from "../score.ts";
import type { ProbeTask } from "../task.ts";

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

const place = "{question}";

export interface ShortAnswerTask {
  name: ProbeTask["name"];
  form: PromptForm;
  /** Columns that may hold the question, the accepted answers, and the one whose log-likelihood is taken; the first found counts. */
  columns: { question: readonly string[]; accepted: readonly string[]; main?: readonly string[] };
  normalisation: Normalisation;
  /** A row as it should be, for errors. */
  example: string;
}

/** A task of questions with short accepted answers. */
export function shortAnswerTask({ name, form: { description, ask, delimiter }, columns, normalisation, example }: ShortAnswerTask): ProbeTask {
  return {
    name,
    description,
    delimiter,
    shots: 0,
    newTokens: 32,
    stops: answerStops,
    asks: ["validation", "test", "train"],
    shows: ["train"],
    question(record) {
      const question = textOf(record, columns.question, example);
      const accepted = textsOf(record, columns.accepted, example);
      const main = (columns.main && optionalText(record, columns.main)) ?? accepted[0];
      return {
        question,
        accepted,
        prompt: ask.split(place).join(question),
        message: question,
        example: ` ${accepted[0]}`,
        target: ` ${main}`,
        judge: {
          kind: "text",
          judge: (cut, raw) => ({ isExact: isExactMatch(filterGeneration(cut, answerStops), accepted, normalisation), isContained: isContained(raw, accepted) }),
        },
      };
    },
  };
}
