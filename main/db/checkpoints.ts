// Checkpoints of runs: the arrays are files in the run's folder, a row holds the path.

import type { Sql } from "./open.ts";

export interface CheckpointRow {
  step: number;
  path: string;
  writtenMs: number;
}

export function checkpointsTable(sql: Sql) {
  const put = sql.prepare<[CheckpointRow & { runId: number }]>(`
    INSERT INTO checkpoints (run_id, step, path, written_ms) VALUES (@runId, @step, @path, @writtenMs)
    ON CONFLICT (run_id, step) DO UPDATE SET path = excluded.path, written_ms = excluded.written_ms`);
  const all = sql.prepare<[number], CheckpointRow>(
    "SELECT step, path, written_ms AS writtenMs FROM checkpoints WHERE run_id = ? ORDER BY step",
  );
  const remove = sql.prepare<[number, number]>("DELETE FROM checkpoints WHERE run_id = ? AND step = ?");
  return {
    put: (runId: number, row: CheckpointRow) => void put.run({ ...row, runId }),
    list: (runId: number) => all.all(runId),
    remove: (runId: number, step: number) => void remove.run(runId, step),
  };
}
