// What became of a run's training rows: kept, cut, left out and why, as it was counted before the first step.

import { fromJson } from "./rows.ts";
import type { Sql } from "./open.ts";

export function runRowsTable(sql: Sql) {
  const put = sql.prepare<[number, string]>("INSERT OR REPLACE INTO run_rows (run_id, report) VALUES (?, ?)");
  const find = sql.prepare<[number], { report: string }>("SELECT report FROM run_rows WHERE run_id = ?");
  const copy = sql.prepare<[number, number]>("INSERT OR REPLACE INTO run_rows SELECT ?, report FROM run_rows WHERE run_id = ?");
  return {
    put: (runId: number, report: unknown) => void put.run(runId, JSON.stringify(report)),
    find: (runId: number): unknown => fromJson<unknown>(find.get(runId)?.report ?? null, "run_rows.report"),
    copy: (fromRun: number, toRun: number) => void copy.run(toRun, fromRun),
  };
}
