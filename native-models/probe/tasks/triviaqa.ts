// TriviaQA as lm-evaluation-harness asks and scores it (triviaqa v3.0): a question mark is added even where there is one,
// all aliases are accepted, articles count.
// Data: mandarjoshi/trivia_qa, rc.nocontext: columns question and answer {value, aliases}.

import { optionalText, textOf, textsOf } from "../columns.ts";
import { answerStops } from "../score.ts";
import type { ProbeTask } from "../task.ts";
import { shortAnswer } from "./short-answers.ts";

const example = '{"question": "Which city is the capital of France?", "answer": {"value": "Paris", "aliases": ["Paris", "City of Paris"]}}';

export const triviaqa: ProbeTask = {
  name: "triviaqa",
  description: "",
  delimiter: "\n\n",
  shots: 0,
  newTokens: 32,
  stops: answerStops,
  asks: ["validation", "test", "train"],
  shows: ["train"],
  question(record) {
    const question = textOf(record, ["question", "Question"], example);
    const accepted = textsOf(record, ["answer.aliases", "Answer.Aliases", "aliases", "answers", "answer"], example);
    const main = optionalText(record, ["answer.value", "Answer.Value"]);
    return shortAnswer({ question, accepted, main, prompt: `Question: ${question}?\nAnswer:`, normalisation: "triviaqa", stops: answerStops });
  },
};
