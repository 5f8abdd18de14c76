// Validation losses of runs, one row an evaluation.

import type { Sql } from "./open.ts";

export interface ValidationRow {
  step: number;
  lossNats: number;
  trainedTokens: number;
  isBest: boolean;
  elapsedMs: number;
}

type RawValidation = Omit<ValidationRow, "isBest"> & { isBest: number };

export function runValidationsTable(sql: Sql) {
  const put = sql.prepare<[RawValidation & { runId: number }]>(`
    INSERT OR REPLACE INTO run_validations (run_id, step, loss_nats, trained_tokens, is_best, elapsed_ms)
    VALUES (@runId, @step, @lossNats, @trainedTokens, @isBest, @elapsedMs)`);
  const after = sql.prepare<[number, number], RawValidation>(`
    SELECT step, loss_nats AS lossNats, trained_tokens AS trainedTokens, is_best AS isBest, elapsed_ms AS elapsedMs
    FROM run_validations WHERE run_id = ? AND step > ? ORDER BY step`);
  const removeAfter = sql.prepare<[number, number]>("DELETE FROM run_validations WHERE run_id = ? AND step > ?");
  const copy = sql.prepare<[number, number]>(`
    INSERT OR REPLACE INTO run_validations
    SELECT ?, step, loss_nats, trained_tokens, is_best, elapsed_ms FROM run_validations WHERE run_id = ?`);
  return {
    put: (runId: number, row: ValidationRow) => void put.run({ ...row, isBest: row.isBest ? 1 : 0, runId }),
    /** Evaluations after `step`, in order. */
    after: (runId: number, step: number): ValidationRow[] => after.all(runId, step).map((row) => ({ ...row, isBest: row.isBest === 1 })),
    /** The work after a checkpoint that a resumed run does again. */
    removeAfter: (runId: number, step: number) => void removeAfter.run(runId, step),
    copy: (fromRun: number, toRun: number) => void copy.run(toRun, fromRun),
  };
}
