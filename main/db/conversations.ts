// Conversations with models side by side: what is the same in all their turns. `turns` are in turns.ts.

import { fromJson } from "./rows.ts";
import type { Sql } from "./open.ts";

export interface ConversationRow {
  id: number;
  title: string;
  modelPath: string;
  /** The models asked, as services know them. */
  subjects: unknown;
  template: "chat" | "alpaca" | "none";
  /** Jinja in place of the model's own chat template. */
  chatTemplate: string | null;
  isBlind: boolean;
  createdMs: number;
  updatedMs: number;
}

export interface ListedConversation extends ConversationRow {
  turns: number;
}

type Raw<T extends ConversationRow> = Omit<T, "subjects" | "isBlind"> & { subjects: string; isBlind: number };

const columns = `id, title, model_path AS modelPath, subjects, template, chat_template AS chatTemplate, is_blind AS isBlind,
  created_ms AS createdMs, updated_ms AS updatedMs`;

export function conversationsTable(sql: Sql) {
  const insert = sql.prepare<[object]>(`
    INSERT INTO conversations (title, model_path, subjects, template, chat_template, is_blind, created_ms, updated_ms)
    VALUES (@title, @modelPath, @subjects, @template, @chatTemplate, @isBlind, @createdMs, @createdMs)`);
  const byId = sql.prepare<[number], Raw<ConversationRow>>(`SELECT ${columns} FROM conversations WHERE id = ?`);
  // A text is looked for in titles, prompts and answers; LIKE knows no difference of case in ASCII.
  const list = sql.prepare<[{ text: string; limit: number }], Raw<ListedConversation>>(`
    SELECT ${columns}, (SELECT count(*) FROM turns WHERE conversation_id = c.id) AS turns FROM conversations c
    WHERE @text = '%%' OR title LIKE @text ESCAPE '\\'
      OR EXISTS (SELECT 1 FROM turns WHERE conversation_id = c.id AND (prompt LIKE @text ESCAPE '\\'
        OR EXISTS (SELECT 1 FROM json_each(answers) WHERE json_extract(value, '$.text') LIKE @text ESCAPE '\\')))
    ORDER BY updated_ms DESC, id DESC LIMIT @limit`);
  const rename = sql.prepare<[string, number]>("UPDATE conversations SET title = ? WHERE id = ?");
  const touch = sql.prepare<[number, number]>("UPDATE conversations SET updated_ms = ? WHERE id = ?");
  const remove = sql.prepare<[number]>("DELETE FROM conversations WHERE id = ?");
  const removeEmpty = sql.prepare<[number]>("DELETE FROM conversations WHERE id = ? AND NOT EXISTS (SELECT 1 FROM turns WHERE conversation_id = conversations.id)");
  return {
    add: (row: Omit<ConversationRow, "id" | "updatedMs">): number =>
      Number(insert.run({ ...row, subjects: JSON.stringify(row.subjects), isBlind: Number(row.isBlind) }).lastInsertRowid),
    find: (id: number): ConversationRow | null => {
      const row = byId.get(id);
      return row === undefined ? null : read<ConversationRow>(row);
    },
    /** Newest first; those that hold `text`. */
    list: (text: string, limit: number): ListedConversation[] =>
      list.all({ text: `%${text.replace(/[\\%_]/g, "\\$&")}%`, limit }).map((row) => read<ListedConversation>(row)),
    rename: (id: number, title: string) => rename.run(title, id).changes > 0,
    touch: (id: number, nowMs: number) => void touch.run(nowMs, id),
    remove: (id: number) => remove.run(id).changes > 0,
    removeEmpty: (id: number) => void removeEmpty.run(id),
  };
}

function read<T extends ConversationRow>(row: Raw<T>): T {
  return { ...row, subjects: fromJson(row.subjects, "conversations.subjects"), isBlind: row.isBlind === 1 } as unknown as T;
}
