// NQ-open as lm-evaluation-harness asks and scores it (nq_open v4.0): articles do not count.
// Data: google-research-datasets/nq_open, columns question and answer (a list).

import { textOf, textsOf } from "../columns.ts";
import { answerStops } from "../score.ts";
import type { ProbeTask } from "../task.ts";
import { shortAnswer } from "./short-answers.ts";

const example = '{"question": "what is the capital of France", "answer": ["Paris"]}';

export const nqOpen: ProbeTask = {
  name: "nq_open",
  description: "Answer these questions:\n\n",
  delimiter: "\n",
  shots: 0,
  newTokens: 32,
  stops: answerStops,
  asks: ["validation", "test", "train"],
  shows: ["train"],
  question(record) {
    const question = textOf(record, ["question", "prompt", "query"], example);
    const accepted = textsOf(record, ["answer.aliases", "answer", "answers", "aliases"], example);
    return shortAnswer({ question, accepted, prompt: `Q: ${question}?\nA:`, normalisation: "nq_open", stops: answerStops });
  },
};
