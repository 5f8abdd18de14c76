// Model folders that were seen, with the summary read from their headers. `stamp` (names, sizes, times) tells whether
// the summary still holds, so that a scan of many models opens only what changed.

import type { Sql } from "./open.ts";

export interface ModelRow {
  path: string;
  folderId: number | null;
  stamp: string;
  summary: string;
  firstSeenMs: number;
  lastSeenMs: number;
}

const columns = "path, folder_id AS folderId, stamp, summary, first_seen_ms AS firstSeenMs, last_seen_ms AS lastSeenMs";

export function modelsTable(sql: Sql) {
  const put = sql.prepare<[ModelRow]>(`
    INSERT INTO models (path, folder_id, stamp, summary, first_seen_ms, last_seen_ms)
    VALUES (@path, @folderId, @stamp, @summary, @firstSeenMs, @lastSeenMs)
    ON CONFLICT (path) DO UPDATE SET folder_id = excluded.folder_id, stamp = excluded.stamp,
      summary = excluded.summary, last_seen_ms = excluded.last_seen_ms`);
  const byPath = sql.prepare<[string], ModelRow>(`SELECT ${columns} FROM models WHERE path = ?`);
  const all = sql.prepare<[], ModelRow>(`SELECT ${columns} FROM models ORDER BY path`);
  const remove = sql.prepare<[string]>("DELETE FROM models WHERE path = ?");
  return {
    /** Inserts or refreshes rows in one transaction; first_seen_ms of a known model stays. */
    putAll: sql.transaction((rows: readonly ModelRow[]) => rows.forEach((row) => put.run(row))),
    find: (path: string) => byPath.get(path) ?? null,
    list: () => all.all(),
    removeAll: sql.transaction((paths: readonly string[]) => paths.forEach((path) => remove.run(path))),
  };
}
