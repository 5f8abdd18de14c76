// Tells a data set's format by the columns of its first records.
// Sure where the columns are those of a known format; a guess, said to be one, where only their names sound right.

import { UserError } from "../../errors.ts";
import type { DataRecord } from "../records/types.ts";
import type { ColumnMapping, FormatName, RowFormat } from "./types.ts";

interface KnownFormat {
  name: FormatName;
  /** Columns every row of this format has. */
  needs: readonly string[];
  /** Value of the first needed column, where names alone do not tell. */
  isList?: boolean;
  mapping: ColumnMapping;
}

/** Tried in this order. Optional columns that a file lacks are left out of its mapping. */
const known: readonly KnownFormat[] = [
  { name: "messages", needs: ["messages"], isList: true, mapping: { kind: "conversation", messages: "messages", tools: "tools" } },
  { name: "sharegpt", needs: ["conversations"], isList: true, mapping: { kind: "conversation", messages: "conversations", system: "system", tools: "tools" } },
  { name: "alpaca", needs: ["instruction", "output"], mapping: { kind: "pair", prompt: "instruction", completion: "output", input: "input", system: "system", history: "history" } },
  { name: "prompt/completion", needs: ["prompt", "completion"], mapping: { kind: "pair", prompt: "prompt", completion: "completion", system: "system" } },
  { name: "query/response", needs: ["query", "response"], mapping: { kind: "pair", prompt: "query", completion: "response", system: "system" } },
  { name: "question/answer", needs: ["question", "answer"], mapping: { kind: "pair", prompt: "question", completion: "answer", system: "system" } },
  { name: "text", needs: ["text"], mapping: { kind: "text", text: "text" } },
];

const promptNames = ["instruction", "prompt", "question", "query", "input", "user", "problem", "source"];
const completionNames = ["output", "completion", "answer", "response", "reply", "assistant", "target", "solution", "chosen"];

export function detectFormat(first: readonly DataRecord[], columns: readonly string[], path: string): RowFormat {
  const has = (column: string) => columns.includes(column);
  for (const format of known) {
    if (!format.needs.every(has)) continue;
    if (format.isList === true && !first.some((record) => Array.isArray(record.value[format.needs[0]!]))) continue;
    return { name: format.name, mapping: onlyPresent(format.mapping, has), isSure: true };
  }

  const named = (names: readonly string[]) => names.map((name) => columns.find((column) => column.toLowerCase() === name)).find((column) => column !== undefined);
  const [prompt, completion] = [named(promptNames), named(completionNames)];
  if (prompt !== undefined && completion !== undefined) {
    return { name: "by hand", mapping: { kind: "pair", prompt, completion }, isSure: false };
  }
  throw new UserError({
    what: `The data format is unknown: its columns are ${columns.map((name) => `"${name}"`).join(", ")}.`,
    where: path,
    fix: "Say which column holds the prompt and which the answer, or name them as one of: " + `${known.map((format) => format.needs.join(" + ")).join(" · ")}.`,
  });
}

/** A mapping given by hand, checked against the file's columns. */
export function formatByHand(mapping: ColumnMapping, columns: readonly string[], path: string): RowFormat {
  const missing = Object.entries(mapping).filter(([key, column]) => key !== "kind" && !columns.includes(column));
  if (missing.length === 0) return { name: "by hand", mapping, isSure: true };
  throw new UserError({
    what: `The file has no column ${missing.map(([key, column]) => `"${column}" (chosen as ${key})`).join(", ")}; it has ${columns.map((name) => `"${name}"`).join(", ")}.`,
    where: path,
    fix: "Choose columns that the file has.",
  });
}

function onlyPresent(mapping: ColumnMapping, has: (column: string) => boolean): ColumnMapping {
  return Object.fromEntries(Object.entries(mapping).filter(([key, column]) => key === "kind" || has(column))) as ColumnMapping;
}
