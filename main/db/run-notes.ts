// What happened to a run, for people: warnings, resumes, interruptions, work found again. In order of id.

import { fromJson, toJson } from "./rows.ts";
import type { Sql } from "./open.ts";

export interface NewNote {
  runId: number;
  atMs: number;
  kind: "warning" | "resumed" | "interrupted" | "reused";
  /** Step that a resumed run went on from. */
  step: number | null;
  text: string;
  warning: unknown;
}

export type NoteRow = Omit<NewNote, "runId"> & { id: number };

export function runNotesTable(sql: Sql) {
  const insert = sql.prepare<[object]>(
    "INSERT INTO run_notes (run_id, at_ms, kind, step, text, warning) VALUES (@runId, @atMs, @kind, @step, @text, @warning)",
  );
  const after = sql.prepare<[number, number], Omit<NoteRow, "warning"> & { warning: string | null }>(
    "SELECT id, at_ms AS atMs, kind, step, text, warning FROM run_notes WHERE run_id = ? AND id > ? ORDER BY id",
  );
  return {
    add: (note: NewNote) => void insert.run({ ...note, warning: toJson(note.warning) }),
    after: (runId: number, id: number): NoteRow[] =>
      after.all(runId, id).map((row) => ({ ...row, warning: fromJson(row.warning, "run_notes.warning") })),
  };
}
