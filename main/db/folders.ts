// Watched model folders.

import type { Sql } from "./open.ts";

export interface FolderRow {
  id: number;
  path: string;
  addedMs: number;
}

const columns = "id, path, added_ms AS addedMs";

export function foldersTable(sql: Sql) {
  const insert = sql.prepare<[string, number]>(
    "INSERT INTO folders (path, added_ms) VALUES (?, ?) ON CONFLICT (path) DO NOTHING",
  );
  const byPath = sql.prepare<[string], FolderRow>(`SELECT ${columns} FROM folders WHERE path = ?`);
  const all = sql.prepare<[], FolderRow>(`SELECT ${columns} FROM folders ORDER BY path`);
  const remove = sql.prepare<[number]>("DELETE FROM folders WHERE id = ?");
  return {
    /** Adds the folder, or finds it when it is there already. */
    add(path: string, addedMs: number): FolderRow {
      insert.run(path, addedMs);
      return byPath.get(path)!;
    },
    list: () => all.all(),
    /** True when there was one. Its models go with it. */
    remove: (id: number) => remove.run(id).changes > 0,
  };
}
