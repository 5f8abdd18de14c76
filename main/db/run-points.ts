// One row an optimizer step. A loss that was not a number is stored as NULL and read back as NaN.

import type { TrainPoint } from "../engine/events.ts";
import type { Sql } from "./open.ts";

export type PointRow = TrainPoint;

type RawPoint = Omit<PointRow, "lossNats" | "gradNorm"> & { lossNats: number | null; gradNorm: number | null };

export function runPointsTable(sql: Sql) {
  const put = sql.prepare<[RawPoint & { runId: number }]>(`
    INSERT INTO run_points (run_id, step, loss_nats, learning_rate, grad_norm, tokens, tokens_per_second, elapsed_ms)
    VALUES (@runId, @step, @lossNats, @learningRate, @gradNorm, @tokens, @tokensPerSecond, @elapsedMs)
    ON CONFLICT (run_id, step) DO UPDATE SET loss_nats = excluded.loss_nats, learning_rate = excluded.learning_rate,
      grad_norm = excluded.grad_norm, tokens = excluded.tokens, tokens_per_second = excluded.tokens_per_second,
      elapsed_ms = excluded.elapsed_ms`);
  const after = sql.prepare<[number, number, number, number], RawPoint>(`
    SELECT step, loss_nats AS lossNats, learning_rate AS learningRate, grad_norm AS gradNorm, tokens,
      tokens_per_second AS tokensPerSecond, elapsed_ms AS elapsedMs
    FROM run_points WHERE run_id = ? AND step > ? AND step % ? = 0 ORDER BY step LIMIT ?`);
  const removeAfter = sql.prepare<[number, number]>("DELETE FROM run_points WHERE run_id = ? AND step > ?");
  const copy = sql.prepare<[number, number]>(`
    INSERT OR REPLACE INTO run_points
    SELECT ?, step, loss_nats, learning_rate, grad_norm, tokens, tokens_per_second, elapsed_ms
    FROM run_points WHERE run_id = ?`);
  return {
    putAll: sql.transaction((runId: number, points: readonly PointRow[]) =>
      points.forEach((point) => put.run({ ...point, lossNats: orNull(point.lossNats), gradNorm: orNull(point.gradNorm), runId })),
    ),
    /** Points after `step`, in order; with `every` only those of its multiples. */
    after: (runId: number, step: number, limit: number, every = 1): PointRow[] =>
      after.all(runId, step, every, limit).map((row) => ({ ...row, lossNats: row.lossNats ?? NaN, gradNorm: row.gradNorm ?? NaN })),
    /** The work after a checkpoint that a resumed run does again. */
    removeAfter: (runId: number, step: number) => void removeAfter.run(runId, step),
    copy: (fromRun: number, toRun: number) => void copy.run(toRun, fromRun),
  };
}

function orNull(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}
