// Saved answers: what was asked with which settings, and every column's answer.

import { fromJson } from "./rows.ts";
import type { Sql } from "./open.ts";

export interface ChatRow {
  id: number;
  createdMs: number;
  ask: unknown;
  answers: unknown;
}

export function chatsTable(sql: Sql) {
  const insert = sql.prepare<[number, string, string]>("INSERT INTO chats (created_ms, ask, answers) VALUES (?, ?, ?)");
  const newest = sql.prepare<[number], { id: number; createdMs: number; ask: string; answers: string }>(
    "SELECT id, created_ms AS createdMs, ask, answers FROM chats ORDER BY id DESC LIMIT ?",
  );
  const remove = sql.prepare<[number]>("DELETE FROM chats WHERE id = ?");
  return {
    add: (chat: Omit<ChatRow, "id">): number =>
      Number(insert.run(chat.createdMs, JSON.stringify(chat.ask), JSON.stringify(chat.answers)).lastInsertRowid),
    newest: (limit: number): ChatRow[] =>
      newest.all(limit).map((row) => ({
        ...row,
        ask: fromJson(row.ask, "chats.ask"),
        answers: fromJson(row.answers, "chats.answers"),
      })),
    remove: (id: number) => remove.run(id).changes > 0,
  };
}
