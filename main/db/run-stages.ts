// The stages of a run, in order: what was done, what was found again, what waits.

import { fromJson, toJson } from "./rows.ts";
import type { Sql } from "./open.ts";

export type StageStatus = "waiting" | "running" | "done" | "reused" | "failed" | "cancelled" | "interrupted";

interface RawStage {
  stage: string;
  status: StageStatus;
  startedMs: number | null;
  endedMs: number | null;
  output: string | null;
  result: string | null;
}

export interface StageRow extends Omit<RawStage, "result"> {
  result: unknown;
}

export function runStagesTable(sql: Sql) {
  const insert = sql.prepare<[number, number, string]>(`
    INSERT INTO run_stages (run_id, position, stage, status) VALUES (?, ?, ?, 'waiting')
    ON CONFLICT (run_id, stage) DO NOTHING`);
  const begin = sql.prepare<[number, number, string]>(
    "UPDATE run_stages SET status = 'running', started_ms = ?, ended_ms = NULL WHERE run_id = ? AND stage = ?",
  );
  const end = sql.prepare<[StageStatus, number, string | null, string | null, number, string]>(
    "UPDATE run_stages SET status = ?, ended_ms = ?, output = ?, result = ? WHERE run_id = ? AND stage = ?",
  );
  const stopRunning = sql.prepare<[StageStatus, number, number]>(
    "UPDATE run_stages SET status = ?, ended_ms = ? WHERE run_id = ? AND status = 'running'",
  );
  const all = sql.prepare<[number], RawStage>(`
    SELECT stage, status, started_ms AS startedMs, ended_ms AS endedMs, output, result
    FROM run_stages WHERE run_id = ? ORDER BY position`);
  return {
    plan: sql.transaction((runId: number, stages: readonly string[]) =>
      stages.forEach((stage, position) => insert.run(runId, position, stage)),
    ),
    begin: (runId: number, stage: string, nowMs: number) => void begin.run(nowMs, runId, stage),
    end: (runId: number, stage: string, to: { status: StageStatus; output: string | null; result: unknown }, nowMs: number) =>
      void end.run(to.status, nowMs, to.output, toJson(to.result), runId, stage),
    /** The stage under way when the run stopped. */
    stopRunning: (runId: number, status: StageStatus, nowMs: number) => void stopRunning.run(status, nowMs, runId),
    list: (runId: number): StageRow[] =>
      all.all(runId).map((row) => ({ ...row, result: fromJson(row.result, "run_stages.result") })),
  };
}
