// World-knowledge questions with accepted answers: for calibration (questions alone) and for probes.
// In: JSONL, a JSON list, CSV or Parquet. Out: all questions in memory (they are short and few).

import { UserError } from "../errors.ts";
import { openRecords } from "./records/open.ts";
import type { DataRecord } from "./records/types.ts";

export interface Question {
  question: string;
  /** Accepted answers; empty only where they were not needed. */
  answers: string[];
  /** Subject, where the file names one. */
  field: string | null;
}

const questionKeys = ["question", "prompt", "query"];
const answerKeys = ["answer", "answers", "aliases"];
const mostQuestions = 1_000_000;

/** Reads every question. With answers "optional" a row may have none, as calibration needs only the questions. */
export async function readQuestions(file: string, options: { answers?: "needed" | "optional" } = {}): Promise<Question[]> {
  const records = await openRecords(file);
  try {
    if (records.count > mostQuestions) {
      throw new UserError({ what: `The file has ${records.count} rows; a question set has at most ${mostQuestions}.`, where: file, fix: "Choose a file of questions, or a part of this one." });
    }
    const questions: Question[] = [];
    for await (const record of records.records()) questions.push(toQuestion(record, { answers: options.answers ?? "needed", isCsv: records.columns !== null && records.kind !== "parquet" }));
    return questions;
  } finally {
    await records.close();
  }
}

function toQuestion(record: DataRecord, how: { answers: "needed" | "optional"; isCsv: boolean }): Question {
  const questionKey = questionKeys.find((key) => Object.hasOwn(record.value, key));
  if (questionKey === undefined) throw wrong(record, "question", "is missing");
  const question = record.value[questionKey];
  if (typeof question !== "string" || question.trim() === "") throw wrong(record, questionKey, "must be a text that is not empty");

  const answerKey = answerKeys.find((key) => Object.hasOwn(record.value, key));
  const answers = answerKey === undefined ? [] : acceptedAnswers(record, answerKey, how.isCsv ? cellValue(record.value[answerKey]) : record.value[answerKey]);
  if (answers.length === 0 && how.answers === "needed") throw wrong(record, answerKey ?? "answer", answerKey === undefined ? "is missing" : "has no accepted answer");
  const field = Object.hasOwn(record.value, "field") ? record.value["field"] : null;
  return { question, answers, field: typeof field === "string" && field !== "" ? field : null };
}

/** A text, a list of texts, or TriviaQA's {value, aliases}. */
function acceptedAnswers(record: DataRecord, key: string, value: unknown): string[] {
  if (value === null) return [];
  const list = Array.isArray(value) ? (value as unknown[]) : typeof value === "object" ? triviaAnswers(value) : [value];
  if (!list.every((item) => typeof item === "string" || typeof item === "number")) throw wrong(record, key, "must be a text or a list of texts");
  return [...new Set(list.map(String).filter((answer) => answer.trim() !== ""))];
}

/** A CSV cell may hold a JSON list, or texts parted by "|". */
function cellValue(cell: unknown): unknown {
  if (typeof cell !== "string") return cell;
  if (/^\s*\[/.test(cell)) {
    try {
      return JSON.parse(cell) as unknown;
    } catch {
      return cell; // an answer that only looks like a list
    }
  }
  return cell.split("|").map((part) => part.trim());
}

function triviaAnswers(value: object): unknown[] {
  const { value: main, aliases } = value as { value?: unknown; aliases?: unknown };
  const list = Array.isArray(aliases) ? (aliases as unknown[]) : [];
  return main === undefined ? list : [main, ...list];
}

function wrong(record: DataRecord, field: string, problem: string): UserError {
  return new UserError({
    what: `"${field}" ${problem} in ${JSON.stringify(record.value).slice(0, 120)}.`,
    where: record.place,
    fix: 'Write rows such as {"question": "what is the capital of France", "answer": ["Paris"]}.',
  });
}
