// Fields of a data set's record, under the names and in the shapes that people have them: nested as in Parquet and
// JSONL, flattened ("answer.aliases"), or as text in a CSV cell (a JSON list, a Python list, parts between "|").
// In: a record. Out: texts, or a UserError that names the field and the row.

import type { DataRecord, RecordSource } from "./records/types.ts";
import { UserError } from "../errors.ts";
import { pythonLiteral } from "./python-literal.ts";

export interface TaskRecord extends DataRecord {
  /** Of a CSV file, whose cells are all texts: a list is written as "a | b" there. */
  isCsv: boolean;
}

/** Names under which questions and their accepted answers are found, TriviaQA's {value, aliases} among them. */
export const questionFields = ["question", "prompt", "query"];
export const answerFields = ["answer.aliases", "answer.value", "answer", "answers", "aliases"];

/** Only text files name lines, and of those only CSV has columns. */
export function taskRecord({ columns }: Pick<RecordSource, "columns">, record: DataRecord): TaskRecord {
  return { ...record, isCsv: columns !== null && /, line \d+$/.test(record.place) };
}

/** The first of the named fields that is there; "answer.aliases" looks into an object or for a column of that name. */
export function fieldOf({ value }: TaskRecord, names: readonly string[]): unknown {
  for (const name of names) {
    const found = lookUp(value, name);
    if (found !== undefined && found !== null) return found;
  }
  return undefined;
}

/** A text that is not empty. */
export function textOf(record: TaskRecord, names: readonly string[], example: string): string {
  const found = fieldOf(record, names);
  if (typeof found === "string" && found.trim() !== "") return found;
  throw wrongField(record, names, found === undefined ? "is missing" : "must be a text that is not empty", example);
}

export function optionalText(record: TaskRecord, names: readonly string[]): string | null {
  const found = fieldOf(record, names);
  return typeof found === "string" && found !== "" ? found : null;
}

/** A list of texts, none empty; numbers are taken as they are written. */
export function textsOf(record: TaskRecord, names: readonly string[], example: string): string[] {
  const texts = optionalTexts(record, names, example);
  if (texts.length > 0) return texts;
  throw wrongField(record, names, fieldOf(record, names) === undefined ? "is missing" : "has no text", example);
}

export function optionalTexts(record: TaskRecord, names: readonly string[], example: string): string[] {
  const found = fieldOf(record, names);
  const list = Array.isArray(found) ? (found as unknown[]) : typeof found === "string" ? listedTexts(found, record.isCsv) : found === undefined ? [] : [found];
  if (!list.every((item) => typeof item === "string" || typeof item === "number")) throw wrongField(record, names, "must be a list of texts", example);
  return list.map(String).filter((text) => text.trim() !== "");
}

export function wrongField(record: TaskRecord, names: readonly string[], problem: string, example: string): UserError {
  const found = names.find((name) => (lookUp(record.value, name) ?? null) !== null);
  return new UserError({
    what: `${(found === undefined ? names : [found]).map((name) => `"${name}"`).join(" or ")} ${problem} in ${JSON.stringify(record.value).slice(0, 120)}.`,
    where: record.place,
    fix: `Write rows such as ${example}.`,
  });
}

/** A text that is a list: JSON, Python's repr of one, or in a CSV cell parts between "|"; else the text itself. */
function listedTexts(text: string, isCsv: boolean): unknown[] {
  const trimmed = text.trim();
  if (trimmed.startsWith("[")) {
    const list = parsedCell(trimmed);
    return Array.isArray(list) ? (list as unknown[]) : [text]; // an answer that only looks like a list
  }
  return isCsv ? text.split("|").map((part) => part.trim()) : [text];
}

function lookUp(value: Record<string, unknown>, name: string): unknown {
  if (Object.hasOwn(value, name)) return value[name];
  const dot = name.indexOf(".");
  if (dot < 0) return undefined;
  let inner = Object.hasOwn(value, name.slice(0, dot)) ? value[name.slice(0, dot)] : undefined;
  if (typeof inner === "string" && inner.trimStart().startsWith("{")) inner = parsedCell(inner.trim());
  return typeof inner === "object" && inner !== null && !Array.isArray(inner) ? lookUp(inner as Record<string, unknown>, name.slice(dot + 1)) : undefined;
}

/** JSON, or a value as Python prints it; undefined for any other text. */
function parsedCell(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return pythonLiteral(text);
  }
}
