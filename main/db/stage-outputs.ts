// Outputs of finished stages by the hash of everything they depend on, so that nothing is computed twice. `stamp`
// (names, sizes, times of the files at `path`) tells whether the output is still the one that was written.

import { fromJson } from "./rows.ts";
import type { Sql } from "./open.ts";

export interface StageOutputRow {
  key: string;
  stage: string;
  path: string;
  stamp: string;
  result: unknown;
  createdMs: number;
}

type Raw = Omit<StageOutputRow, "result"> & { result: string };

const columns = "key, stage, path, stamp, result, created_ms AS createdMs";

export function stageOutputsTable(sql: Sql) {
  const put = sql.prepare<[Raw]>(`
    INSERT INTO stage_outputs (key, stage, path, stamp, result, created_ms)
    VALUES (@key, @stage, @path, @stamp, @result, @createdMs)
    ON CONFLICT (key) DO UPDATE SET path = excluded.path, stamp = excluded.stamp, result = excluded.result,
      created_ms = excluded.created_ms`);
  const byKey = sql.prepare<[string], Raw>(`SELECT ${columns} FROM stage_outputs WHERE key = ?`);
  const byPath = sql.prepare<[string], Raw>(`SELECT ${columns} FROM stage_outputs WHERE path = ? ORDER BY created_ms DESC LIMIT 1`);
  const remove = sql.prepare<[string]>("DELETE FROM stage_outputs WHERE key = ?");
  return {
    put: (row: StageOutputRow) => void put.run({ ...row, result: JSON.stringify(row.result) }),
    find: (key: string) => read(byKey.get(key)),
    findByPath: (path: string) => read(byPath.get(path)),
    remove: (key: string) => void remove.run(key),
  };
}

function read(row: Raw | undefined): StageOutputRow | null {
  return row === undefined ? null : { ...row, result: fromJson(row.result, "stage_outputs.result") };
}
