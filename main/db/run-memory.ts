// The memory of a run's training: what was estimated before it began, and the most that its process was seen to take.

import { fromJson } from "./rows.ts";
import type { Sql } from "./open.ts";

export interface MemoryRow {
  estimate: unknown;
  measuredBytes: number | null;
}

export function runMemoryTable(sql: Sql) {
  // A resumed run has several processes: the most of them counts.
  const put = sql.prepare<[number, string, number | null]>(`
    INSERT INTO run_memory (run_id, estimate, measured_bytes) VALUES (?, ?, ?)
    ON CONFLICT (run_id) DO UPDATE SET estimate = excluded.estimate,
      measured_bytes = nullif(max(coalesce(measured_bytes, 0), coalesce(excluded.measured_bytes, 0)), 0)`);
  const find = sql.prepare<[number], { estimate: string; measuredBytes: number | null }>(
    "SELECT estimate, measured_bytes AS measuredBytes FROM run_memory WHERE run_id = ?",
  );
  const copy = sql.prepare<[number, number]>("INSERT OR REPLACE INTO run_memory SELECT ?, estimate, measured_bytes FROM run_memory WHERE run_id = ?");
  return {
    put: (runId: number, estimate: unknown, measuredBytes: number | null) => void put.run(runId, JSON.stringify(estimate), measuredBytes),
    find(runId: number): MemoryRow | null {
      const row = find.get(runId);
      return row === undefined ? null : { ...row, estimate: fromJson(row.estimate, "run_memory.estimate") };
    },
    copy: (fromRun: number, toRun: number) => void copy.run(toRun, fromRun),
  };
}
