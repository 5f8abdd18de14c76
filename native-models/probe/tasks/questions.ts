// A file of questions with accepted answers of one's own, in a prompt of one's choice.
// In: rows with a question and answers under any of the usual names. Out: questions scored as NQ-open's are.

import { answerFields, questionFields } from "../../data/columns.ts";
import type { ProbeTask } from "../task.ts";
import { promptForms, shortAnswerTask, type PromptForm } from "./short-answers.ts";

export function questionsTask(form: PromptForm = promptForms.nq_open): ProbeTask {
  return shortAnswerTask({
    name: "questions",
    form,
    columns: { question: [...questionFields, "Question", "instruction"], accepted: [...answerFields, "accepted", "output"] },
    normalisation: "nq_open",
    example: '{"question": "what is the capital of France", "answer": ["Paris"]}',
  });
}
