// What the base knows of the questions that retention is measured on, question by question: measured once.

import type { RetentionBase } from "../engine/train-jobs.ts";
import { fromJson } from "./rows.ts";
import type { Sql } from "./open.ts";

export interface RetentionBaseRow extends RetentionBase {
  /** The run that measured it, which may be deleted. */
  runId: number;
  measuredMs: number;
}

interface RawBase extends Omit<RetentionBaseRow, "likelihoods"> {
  likelihoods: string;
}

export function retentionBasesTable(sql: Sql) {
  const put = sql.prepare<[RawBase & { key: string }]>(`
    INSERT OR REPLACE INTO retention_bases (key, way, likelihoods, run_id, measured_ms) VALUES (@key, @by, @likelihoods, @runId, @measuredMs)`);
  const find = sql.prepare<[string], RawBase>("SELECT way AS by, likelihoods, run_id AS runId, measured_ms AS measuredMs FROM retention_bases WHERE key = ?");
  return {
    put: (key: string, { likelihoods, ...row }: RetentionBaseRow) => void put.run({ ...row, key, likelihoods: JSON.stringify(likelihoods) }),
    /** One for each way of measuring. */
    find: (key: string): RetentionBaseRow[] =>
      find.all(key).map(({ likelihoods, ...row }) => ({ ...row, likelihoods: fromJson<RetentionBase["likelihoods"]>(likelihoods, "retention_bases.likelihoods") ?? [] })),
  };
}
