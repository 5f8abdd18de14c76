// Processes that work on this store: each beats its heart here, so that the others can tell a live owner of a run from
// a dead one.

import type { Sql } from "./open.ts";

export interface OwnerRow {
  owner: string;
  host: string;
  pid: number;
  heartbeatMs: number;
}

export function ownersTable(sql: Sql) {
  const put = sql.prepare<[OwnerRow]>(
    "INSERT INTO owners (owner, host, pid, heartbeat_ms) VALUES (@owner, @host, @pid, @heartbeatMs)",
  );
  const beat = sql.prepare<[number, string]>("UPDATE owners SET heartbeat_ms = ? WHERE owner = ?");
  const all = sql.prepare<[], OwnerRow>("SELECT owner, host, pid, heartbeat_ms AS heartbeatMs FROM owners");
  const remove = sql.prepare<[string]>("DELETE FROM owners WHERE owner = ?");
  return {
    add: (row: OwnerRow) => void put.run(row),
    /** False when another process has declared this one dead. */
    beat: (owner: string, nowMs: number) => beat.run(nowMs, owner).changes > 0,
    list: () => all.all(),
    remove: (owner: string) => void remove.run(owner),
  };
}
