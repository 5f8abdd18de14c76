// World-knowledge questions with accepted answers: for calibration (questions alone) and for probes.
// In: JSONL, a JSON list, CSV or Parquet, read as a probe's tasks read them. Out: all questions in memory (they are short
// and few).

import { UserError } from "../errors.ts";
import { answerFields, optionalText, optionalTexts, questionFields, taskRecord, textOf, textsOf, type TaskRecord } from "./columns.ts";
import { openRecords } from "./records/open.ts";

export interface Question {
  question: string;
  /** Accepted answers; empty only where they were not needed. */
  answers: string[];
  /** Subject, where the file names one. */
  field: string | null;
}

const mostQuestions = 1_000_000;
const example = '{"question": "what is the capital of France", "answer": ["Paris"]}';

/** Reads every question. With answers "optional" a row may have none, as calibration needs only the questions. */
export async function readQuestions(file: string, { answers = "needed" }: { answers?: "needed" | "optional" } = {}): Promise<Question[]> {
  const records = await openRecords(file);
  try {
    if (records.count > mostQuestions) {
      throw new UserError({ what: `The file has ${records.count} rows; a question set has at most ${mostQuestions}.`, where: file, fix: "Choose a file of questions, or a part of this one." });
    }
    const questions: Question[] = [];
    for await (const record of records.records()) questions.push(toQuestion(taskRecord(records, record), answers === "needed" ? textsOf : optionalTexts));
    return questions;
  } finally {
    await records.close();
  }
}

function toQuestion(record: TaskRecord, answersOf: typeof textsOf): Question {
  return { question: textOf(record, questionFields, example), answers: [...new Set(answersOf(record, answerFields, example))], field: optionalText(record, ["field"]) };
}
