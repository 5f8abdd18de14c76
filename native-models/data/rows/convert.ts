// One record → one training row, by a column mapping. Whatever is not as the mapping says is refused by place and field.

import { UserError } from "../../errors.ts";
import type { DataRecord } from "../records/types.ts";
import { assistantText, toolsPrompt } from "./tools.ts";
import type { ColumnMapping, TrainingRow, TrainingTurn } from "./types.ts";

type Role = TrainingTurn["role"];

const roleNames: Record<string, Role> = {
  system: "system",
  developer: "system",
  user: "user",
  human: "user",
  assistant: "assistant",
  gpt: "assistant",
  model: "assistant",
  function_call: "assistant",
  tool: "tool",
  function: "tool",
  observation: "tool",
};

export function convertRecord(record: DataRecord, mapping: ColumnMapping): TrainingRow {
  if (mapping.kind === "text") return { turns: [{ role: "text", content: textAt(record, mapping.text), isTrained: true }] };
  const turns = mapping.kind === "pair" ? pairTurns(record, mapping) : conversationTurns(record, mapping);
  return { turns };
}

function pairTurns(record: DataRecord, mapping: Extract<ColumnMapping, { kind: "pair" }>): TrainingTurn[] {
  const turns: TrainingTurn[] = [];
  const optional = (column: string | undefined) => (column === undefined ? "" : textAt(record, column, ""));
  const system = optional(mapping.system);
  if (system !== "") turns.push(turn("system", system));
  if (mapping.history !== undefined) turns.push(...historyTurns(record, mapping.history));
  // prompt and completion may each be a list of messages (as TRL writes them)
  if (Array.isArray(own(record.value, mapping.prompt)) && Array.isArray(own(record.value, mapping.completion))) {
    const before = messageList(record, mapping.prompt).map((message) => ({ ...message, isTrained: false }));
    return [...turns, ...before, ...messageList(record, mapping.completion)];
  }
  const input = optional(mapping.input);
  const prompt = textAt(record, mapping.prompt);
  turns.push(turn("user", input === "" ? prompt : `${prompt}\n${input}`), turn("assistant", textAt(record, mapping.completion)));
  return turns;
}

function historyTurns(record: DataRecord, column: string): TrainingTurn[] {
  const history = own(record.value, column) ?? [];
  if (!Array.isArray(history)) throw wrong(record, column, "must be a list of [question, answer] pairs");
  return history.flatMap((pair: unknown) => {
    if (!Array.isArray(pair) || pair.length !== 2 || !pair.every((part) => typeof part === "string")) {
      throw wrong(record, column, "must be a list of [question, answer] pairs");
    }
    return [turn("user", pair[0] as string), turn("assistant", pair[1] as string)];
  });
}

function conversationTurns(record: DataRecord, mapping: Extract<ColumnMapping, { kind: "conversation" }>): TrainingTurn[] {
  const turns = messageList(record, mapping.messages);
  if (turns.length === 0) throw wrong(record, mapping.messages, "is an empty list");
  const system = mapping.system === undefined ? "" : textAt(record, mapping.system, "");
  const tools = mapping.tools === undefined ? "" : toolsPrompt(own(record.value, mapping.tools), (problem) => wrong(record, mapping.tools!, problem));
  const lead = [system, tools].filter((part) => part !== "").join("\n\n");
  if (lead === "") return turns;
  const first = turns[0]!;
  if (first.role === "system") return [turn("system", [first.content, lead].join("\n\n")), ...turns.slice(1)];
  return [turn("system", lead), ...turns];
}

/** OpenAI messages ({role, content}) and ShareGPT ({from, value}), told apart message by message. */
function messageList(record: DataRecord, column: string): TrainingTurn[] {
  const list = own(record.value, column);
  if (!Array.isArray(list)) throw wrong(record, column, "must be a list of messages");
  return list.map((message: unknown, i) => {
    const field = `${column}[${i}]`;
    if (typeof message !== "object" || message === null) throw wrong(record, field, "must be an object with role and content");
    const fields = message as Record<string, unknown>;
    const isShareGpt = Object.hasOwn(fields, "from");
    const name = own(fields, isShareGpt ? "from" : "role");
    const role = typeof name === "string" && Object.hasOwn(roleNames, name) ? roleNames[name]! : null;
    if (role === null) throw wrong(record, `${field}.${isShareGpt ? "from" : "role"}`, `is ${JSON.stringify(name)?.slice(0, 40)}, which is no known role`);
    const content = own(fields, isShareGpt ? "value" : "content");
    const text = role === "assistant" ? assistantText(messageText(content), name === "function_call", own(fields, "tool_calls")) : messageText(content);
    if (text === null) throw wrong(record, `${field}.${isShareGpt ? "value" : "content"}`, "must be text");
    // OpenAI: weight 0 keeps an assistant turn in the conversation but out of the loss
    return { ...turn(role, text), ...(own(fields, "weight") === 0 ? { isTrained: false } : {}) };
  });
}

/** A message's text; a list of {type: "text"} parts is joined, null stays null. */
function messageText(content: unknown): string | null {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return null;
  const parts = content.map((part: unknown) =>
    typeof part === "object" && part !== null && own(part as Record<string, unknown>, "type") === "text" ? own(part as Record<string, unknown>, "text") : null,
  );
  return parts.every((part) => typeof part === "string") ? parts.join("") : null;
}

function turn(role: Role, content: string): TrainingTurn {
  return { role, content, isTrained: role === "assistant" };
}

/** The text in a column; numbers and booleans are written out. With `whenMissing`, an absent or null cell is that. */
function textAt(record: DataRecord, column: string, whenMissing?: string): string {
  const value = own(record.value, column);
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if ((value === undefined || value === null) && whenMissing !== undefined) return whenMissing;
  throw wrong(record, column, value === undefined ? "is missing" : `must be text, not ${value === null ? "null" : Array.isArray(value) ? "a list" : "an object"}`);
}

function own(fields: Record<string, unknown>, key: string): unknown {
  return Object.hasOwn(fields, key) ? fields[key] : undefined;
}

function wrong(record: DataRecord, field: string, problem: string): UserError {
  return new UserError({ what: `"${field}" ${problem}.`, where: record.place, fix: "Mend or remove that row, or map the columns differently." });
}
