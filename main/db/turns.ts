// Turns of conversations: a prompt and every column's answer. A turn's parent is the turn before it; several turns with
// one parent are what was asked again or otherwise.

import { fromJson, toJson } from "./rows.ts";
import type { Sql } from "./open.ts";

export type Verdict = "left" | "right" | "tie" | "both-bad";

export interface TurnRow {
  id: number;
  conversationId: number;
  parentId: number | null;
  prompt: string;
  system: string;
  sampling: unknown;
  /** Which of the conversation's subjects answers at each place, from left to right. */
  places: number[];
  /** By place; empty until it has been answered. */
  answers: StoredAnswer[];
  tokensPerSecond: number | null;
  /** How surprised each model is by each answer; null until it was asked for. */
  surprise: unknown;
  verdict: Verdict | null;
  createdMs: number;
}

export interface StoredAnswer {
  text: string;
  /** Its tokens; none of an answer from before they were kept. */
  ids: number[];
  tokens: number;
  /** hand: it was stopped. */
  stopped: "eos" | "length" | "hand";
}

type RawTurn = Omit<TurnRow, "sampling" | "places" | "answers" | "surprise"> & Record<"sampling" | "places" | "answers", string> & { surprise: string | null };

const columns = `id, conversation_id AS conversationId, parent_id AS parentId, prompt, system, sampling, places, answers,
  tokens_per_second AS tokensPerSecond, surprise, verdict, created_ms AS createdMs`;

export function turnsTable(sql: Sql) {
  const insert = sql.prepare<[object]>(`
    INSERT INTO turns (conversation_id, parent_id, prompt, system, sampling, places, answers, created_ms)
    VALUES (@conversationId, @parentId, @prompt, @system, @sampling, @places, '[]', @createdMs)`);
  const byId = sql.prepare<[number], RawTurn>(`SELECT ${columns} FROM turns WHERE id = ?`);
  const ofConversation = sql.prepare<[number], RawTurn>(`SELECT ${columns} FROM turns WHERE conversation_id = ? ORDER BY id`);
  const answer = sql.prepare<[string, number | null, number]>("UPDATE turns SET answers = ?, tokens_per_second = ? WHERE id = ?");
  const setSurprise = sql.prepare<[string | null, number]>("UPDATE turns SET surprise = ? WHERE id = ?");
  const judge = sql.prepare<[Verdict, number]>("UPDATE turns SET verdict = ? WHERE id = ? AND verdict IS NULL");
  const remove = sql.prepare<[number]>("DELETE FROM turns WHERE id = ?");
  return {
    add: (row: Pick<TurnRow, "conversationId" | "parentId" | "prompt" | "system" | "sampling" | "places" | "createdMs">): number =>
      Number(insert.run({ ...row, sampling: JSON.stringify(row.sampling), places: JSON.stringify(row.places) }).lastInsertRowid),
    find: (id: number): TurnRow | null => {
      const row = byId.get(id);
      return row === undefined ? null : read(row);
    },
    list: (conversationId: number): TurnRow[] => ofConversation.all(conversationId).map(read),
    answer: (id: number, answers: readonly StoredAnswer[], tokensPerSecond: number | null) => void answer.run(JSON.stringify(answers), tokensPerSecond, id),
    setSurprise: (id: number, surprise: unknown) => void setSurprise.run(toJson(surprise), id),
    /** False where it has been judged already. */
    judge: (id: number, verdict: Verdict) => judge.run(verdict, id).changes > 0,
    remove: (id: number) => void remove.run(id),
  };
}

function read(row: RawTurn): TurnRow {
  return {
    ...row,
    sampling: fromJson(row.sampling, "turns.sampling"),
    places: fromJson<number[]>(row.places, "turns.places") ?? [],
    answers: fromJson<StoredAnswer[]>(row.answers, "turns.answers") ?? [],
    surprise: fromJson(row.surprise, "turns.surprise"),
  };
}
