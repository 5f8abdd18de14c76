// Settings of the app: one JSON value a key.

import { fromJson } from "./rows.ts";
import type { Sql } from "./open.ts";

export function settingsTable(sql: Sql) {
  const get = sql.prepare<[string], { value: string }>("SELECT value FROM settings WHERE key = ?");
  const put = sql.prepare<[string, string]>(
    "INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
  );
  return {
    get: (key: string): unknown => fromJson<unknown>(get.get(key)?.value ?? null, `settings.${key}`),
    set: (key: string, value: unknown) => void put.run(key, JSON.stringify(value)),
  };
}
