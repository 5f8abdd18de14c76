// Probes: questions asked of a model, alone or within a run.

import { fromJson, toJson } from "./rows.ts";
import type { RunStatus } from "./runs.ts";
import type { Sql } from "./open.ts";

interface RawProbe {
  id: number;
  runId: number | null;
  style: "knowledge" | "task";
  status: RunStatus;
  config: string;
  progress: string | null;
  result: string | null;
  cancelRequested: number;
  owner: string | null;
  createdMs: number;
  endedMs: number | null;
  error: string | null;
  baseFrom: string | null;
}

export interface ProbeRow extends Omit<RawProbe, "config" | "progress" | "result" | "error" | "baseFrom"> {
  /** The probe that the base's answers were taken from. */
  baseFrom: unknown;
  config: unknown;
  progress: unknown;
  result: unknown;
  error: unknown;
}

export interface NewProbe {
  runId: number | null;
  key: string;
  /** Same key, same answers of the base. */
  baseKey: string;
  style: "knowledge" | "task";
  config: unknown;
  owner: string;
  createdMs: number;
}

const select = `SELECT id, run_id AS runId, style, status, config, progress, result, cancel_requested AS cancelRequested,
  owner, created_ms AS createdMs, ended_ms AS endedMs, error, base_from AS baseFrom FROM probes`;

export function probesTable(sql: Sql) {
  const insert = sql.prepare<[object]>(`
    INSERT INTO probes (run_id, key, base_key, style, status, config, owner, created_ms)
    VALUES (@runId, @key, @baseKey, @style, 'running', @config, @owner, @createdMs)`);
  const byId = sql.prepare<[number], RawProbe>(`${select} WHERE id = ?`);
  const doneByKey = sql.prepare<[string, number], RawProbe>(`${select} WHERE key = ? AND status = 'done' ORDER BY run_id IS ? DESC, id DESC LIMIT 1`);
  const stoppedByKey = sql.prepare<[string], { id: number }>("SELECT id FROM probes WHERE key = ? AND status IN ('failed', 'cancelled', 'interrupted') ORDER BY id DESC LIMIT 1");
  const withBase = sql.prepare<[string, number], RawProbe>(`${select} WHERE base_key = ? AND id <> ?
    ORDER BY (SELECT count(*) FROM probe_answers WHERE probe_id = probes.id AND subject = 'base') DESC, id DESC LIMIT 1`);
  const setBaseFrom = sql.prepare<[string | null, number]>("UPDATE probes SET base_from = ? WHERE id = ?");
  const ofRun = sql.prepare<[number], RawProbe>(`${select} WHERE run_id = ? ORDER BY id`);
  const live = sql.prepare<[], RawProbe>(`${select} WHERE status IN ('queued', 'running') ORDER BY id`);
  const newest = sql.prepare<[number], RawProbe>(`${select} ORDER BY id DESC LIMIT ?`);
  const setProgress = sql.prepare<[string | null, number, string]>("UPDATE probes SET progress = ? WHERE id = ? AND owner = ?");
  const end = sql.prepare<[RunStatus, string | null, string | null, number, number, string]>(`
    UPDATE probes SET status = ?, result = ?, error = ?, ended_ms = ?, progress = NULL, owner = NULL, cancel_requested = 0
    WHERE id = ? AND owner = ? AND status IN ('queued', 'running')`);
  const askCancel = sql.prepare<[number]>("UPDATE probes SET cancel_requested = 1 WHERE id = ? AND status IN ('queued', 'running')");
  const cancelWanted = sql.prepare<[string], { id: number }>(
    "SELECT id FROM probes WHERE owner = ? AND cancel_requested = 1 AND status IN ('queued', 'running')",
  );
  const interruptOrphans = sql.prepare<[number, string]>(`
    UPDATE probes SET status = 'interrupted', ended_ms = ?, progress = NULL, owner = NULL, cancel_requested = 0, error = ?
    WHERE status IN ('queued', 'running') AND (owner IS NULL OR owner NOT IN (SELECT owner FROM owners))`);
  const removeOthers = sql.prepare<[number, string, number]>("DELETE FROM probes WHERE run_id = ? AND style = ? AND id <> ? AND status <> 'running'");
  return {
    insert: (probe: NewProbe): number => Number(insert.run({ ...probe, config: JSON.stringify(probe.config) }).lastInsertRowid),
    find: (id: number) => optional(byId.get(id)),
    /** The run's own where it has one, else the newest. */
    findDone: (key: string, runId: number) => optional(doneByKey.get(key, runId)),
    /** The newest that stopped before its end. */
    findStopped: (key: string): number | null => stoppedByKey.get(key)?.id ?? null,
    /** The probe with the most answers of the same base. */
    findBase: (baseKey: string, notId: number) => optional(withBase.get(baseKey, notId)),
    setBaseFrom: (id: number, from: unknown) => void setBaseFrom.run(toJson(from), id),
    ofRun: (runId: number) => ofRun.all(runId).map(read),
    live: () => live.all().map(read),
    newest: (limit: number) => newest.all(limit).map(read),
    setProgress: (id: number, owner: string, progress: unknown) => void setProgress.run(toJson(progress), id, owner),
    end: (id: number, owner: string, to: { status: RunStatus; result: unknown; error: unknown }, nowMs: number) =>
      end.run(to.status, toJson(to.result), toJson(to.error), nowMs, id, owner).changes > 0,
    requestCancel: (id: number) => askCancel.run(id).changes > 0,
    cancelWanted: (owner: string) => cancelWanted.all(owner).map((row) => row.id),
    interruptOrphans: (error: unknown, nowMs: number) => interruptOrphans.run(nowMs, JSON.stringify(error)).changes,
    /** What earlier tries of the run's stage left: a run has one probe of a style. */
    removeOthers: (runId: number, style: string, keptId: number) => void removeOthers.run(runId, style, keptId),
  };
}

function optional(row: RawProbe | undefined): ProbeRow | null {
  return row === undefined ? null : read(row);
}

function read(row: RawProbe): ProbeRow {
  return {
    ...row,
    config: fromJson(row.config, "probes.config"),
    progress: fromJson(row.progress, "probes.progress"),
    result: fromJson(row.result, "probes.result"),
    error: fromJson(row.error, "probes.error"),
    baseFrom: fromJson(row.baseFrom, "probes.base_from"),
  };
}
