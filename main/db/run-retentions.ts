// What of the base's knowledge was there while a run trained, one row a measurement; step 0 is the base itself.

import type { RetentionPoint } from "../engine/events.ts";
import type { Sql } from "./open.ts";

export type RetentionRow = RetentionPoint;

type RawRetention = Omit<RetentionRow, "exact" | "isAbove"> & { isAbove: number; exactBase: number | null; exactNow: number | null };

export function runRetentionsTable(sql: Sql) {
  const put = sql.prepare<[RawRetention & { runId: number }]>(`
    INSERT OR REPLACE INTO run_retentions (run_id, step, retention, low, high, base_nats, nats, exact_base, exact_now, questions, is_above, elapsed_ms)
    VALUES (@runId, @step, @retention, @low, @high, @baseNats, @nats, @exactBase, @exactNow, @questions, @isAbove, @elapsedMs)`);
  const after = sql.prepare<[number, number], RawRetention>(`
    SELECT step, retention, low, high, base_nats AS baseNats, nats, exact_base AS exactBase, exact_now AS exactNow, questions,
      is_above AS isAbove, elapsed_ms AS elapsedMs
    FROM run_retentions WHERE run_id = ? AND step > ? ORDER BY step`);
  const removeAfter = sql.prepare<[number, number]>("DELETE FROM run_retentions WHERE run_id = ? AND step > ?");
  const copy = sql.prepare<[number, number]>(`
    INSERT OR REPLACE INTO run_retentions
    SELECT ?, step, retention, low, high, base_nats, nats, exact_base, exact_now, questions, is_above, elapsed_ms FROM run_retentions WHERE run_id = ?`);
  return {
    put: (runId: number, { exact, isAbove, ...row }: RetentionRow) =>
      void put.run({ ...row, runId, isAbove: isAbove ? 1 : 0, exactBase: exact?.base ?? null, exactNow: exact?.now ?? null }),
    /** Measurements after `step`, in order; after −1: all. */
    after: (runId: number, step: number): RetentionRow[] =>
      after.all(runId, step).map(({ exactBase, exactNow, isAbove, ...row }) => ({
        ...row,
        isAbove: isAbove === 1,
        exact: exactBase === null || exactNow === null ? null : { base: exactBase, now: exactNow },
      })),
    /** The work after a checkpoint that a resumed run does again. */
    removeAfter: (runId: number, step: number) => void removeAfter.run(runId, step),
    copy: (fromRun: number, toRun: number) => void copy.run(toRun, fromRun),
  };
}
