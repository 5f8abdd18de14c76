// Spans of work on a run: one a stage and try, from its beginning to when its process was last seen at work. Their sum is
// how long a run took; the pause before a resume is in none of them.

import type { Sql } from "./open.ts";

export function runSpansTable(sql: Sql) {
  const begin = sql.prepare<[number, string, number, number]>("INSERT INTO run_spans (run_id, stage, started_ms, seen_ms) VALUES (?, ?, ?, ?)");
  const see = sql.prepare<[number, number]>(`
    UPDATE run_spans SET seen_ms = max(seen_ms, ?) WHERE id = (SELECT max(id) FROM run_spans WHERE run_id = ?)`);
  const last = sql.prepare<[number], { seenMs: number | null }>("SELECT max(seen_ms) AS seenMs FROM run_spans WHERE run_id = ?");
  const byStage = sql.prepare<[number], { stage: string; workedMs: number }>(
    "SELECT stage, sum(seen_ms - started_ms) AS workedMs FROM run_spans WHERE run_id = ? GROUP BY stage",
  );
  return {
    begin: (runId: number, stage: string, nowMs: number) => void begin.run(runId, stage, nowMs, nowMs),
    /** The newest span goes on until now. */
    see: (runId: number, nowMs: number) => void see.run(nowMs, runId),
    /** When the run was last seen at work; null where it never was. */
    lastSeen: (runId: number): number | null => last.get(runId)?.seenMs ?? null,
    byStage: (runId: number): Map<string, number> => new Map(byStage.all(runId).map(({ stage, workedMs }) => [stage, workedMs])),
  };
}
