// NQ-open as lm-evaluation-harness asks and scores it (nq_open v4.0): articles do not count.
// Data: google-research-datasets/nq_open, columns question and answer (a list).

import { answerFields, questionFields } from "../../data/columns.ts";
import { promptForms, shortAnswerTask } from "./short-answers.ts";

export const nqOpen = shortAnswerTask({
  name: "nq_open",
  form: promptForms.nq_open,
  columns: { question: questionFields, accepted: answerFields },
  normalisation: "nq_open",
  example: '{"question": "what is the capital of France", "answer": ["Paris"]}',
});
