// Runs: one row each, written before the first step. Every change by the process that works on a run names its owner,
// so a process that was declared dead cannot write over its successor.

import { fromJson, toJson } from "./rows.ts";
import type { Sql } from "./open.ts";

export type RunStatus = "queued" | "running" | "done" | "failed" | "cancelled" | "interrupted";

interface RawRun {
  id: number;
  name: string;
  kind: "full" | "train";
  status: RunStatus;
  stage: string | null;
  config: string;
  modelPath: string;
  modelName: string;
  folder: string;
  adapter: string | null;
  progress: string | null;
  cancelRequested: number;
  owner: string | null;
  createdMs: number;
  startedMs: number | null;
  endedMs: number | null;
  error: string | null;
  lastStep: number | null;
  lastLossNats: number | null;
  lastCheckpointStep: number | null;
  /** Null where no work was recorded: none was done, or before spans were. */
  workedMs: number | null;
}

export interface RunRow extends Omit<RawRun, "config" | "progress" | "error" | "cancelRequested" | "lastStep"> {
  config: unknown;
  progress: unknown;
  error: unknown;
  isCancelRequested: boolean;
  lastStep: number;
}

export interface NewRun {
  name: string;
  kind: "full" | "train";
  config: unknown;
  configKey: string;
  modelPath: string;
  modelName: string;
  owner: string;
  createdMs: number;
}

const select = `
  SELECT id, name, kind, status, stage, config, model_path AS modelPath, model_name AS modelName, folder, adapter,
    progress, cancel_requested AS cancelRequested, owner, created_ms AS createdMs, started_ms AS startedMs,
    ended_ms AS endedMs, error, last.step AS lastStep, last.loss_nats AS lastLossNats,
    (SELECT max(step) FROM checkpoints WHERE run_id = runs.id) AS lastCheckpointStep,
    (SELECT sum(seen_ms - started_ms) FROM run_spans WHERE run_id = runs.id) AS workedMs
  FROM runs LEFT JOIN run_points AS last
    ON last.run_id = runs.id AND last.step = (SELECT max(step) FROM run_points WHERE run_id = runs.id)`;

const stopped = "('failed', 'cancelled', 'interrupted')";

export function runsTable(sql: Sql) {
  const insert = sql.prepare<[object]>(`
    INSERT INTO runs (name, kind, status, config, config_key, model_path, model_name, folder, owner, created_ms)
    VALUES (@name, @kind, 'queued', @config, @configKey, @modelPath, @modelName, @folder, @owner, @createdMs)`);
  const setFolder = sql.prepare<[string, number]>("UPDATE runs SET folder = ? WHERE id = ?");
  const byId = sql.prepare<[number], RawRun>(`${select} WHERE id = ?`);
  const byFolder = sql.prepare<[string], RawRun>(`${select} WHERE folder = ?`);
  const stoppedLike = sql.prepare<[string], RawRun>(
    `${select} WHERE config_key = ? AND status IN ${stopped} ORDER BY id DESC LIMIT 1`,
  );
  const live = sql.prepare<[], RawRun>(`${select} WHERE status IN ('queued', 'running') ORDER BY id`);
  const newest = sql.prepare<[number], RawRun>(`${select} ORDER BY id DESC LIMIT ?`);
  const queued = sql.prepare<[string], { id: number }>(
    "SELECT id FROM runs WHERE status = 'queued' AND owner = ? ORDER BY id LIMIT 1",
  );
  const claim = sql.prepare<[number, number, string]>(`
    UPDATE runs SET status = 'running', started_ms = coalesce(started_ms, ?), ended_ms = NULL
    WHERE id = ? AND status = 'queued' AND owner = ?
      AND NOT EXISTS (SELECT 1 FROM runs AS other WHERE other.status = 'running')`);
  const setStage = sql.prepare<[string | null, number, string]>(
    "UPDATE runs SET stage = ?, progress = NULL WHERE id = ? AND owner = ?",
  );
  const setProgress = sql.prepare<[string | null, number, string]>(
    "UPDATE runs SET progress = ? WHERE id = ? AND owner = ?",
  );
  const setAdapter = sql.prepare<[string, number, string]>("UPDATE runs SET adapter = ? WHERE id = ? AND owner = ?");
  const end = sql.prepare<[RunStatus, string | null, number, number, string]>(`
    UPDATE runs SET status = ?, error = ?, ended_ms = ?, progress = NULL, owner = NULL, cancel_requested = 0
    WHERE id = ? AND owner = ? AND status IN ('queued', 'running')`);
  const askCancel = sql.prepare<[number]>(
    "UPDATE runs SET cancel_requested = 1 WHERE id = ? AND status IN ('queued', 'running')",
  );
  const requeue = sql.prepare<[string, string, number]>(`
    UPDATE runs SET status = 'queued', owner = ?, config = ?, error = NULL, ended_ms = NULL, cancel_requested = 0, progress = NULL
    WHERE id = ? AND status IN ${stopped}`);
  const cancelWanted = sql.prepare<[string], { id: number }>(
    "SELECT id FROM runs WHERE owner = ? AND cancel_requested = 1 AND status IN ('queued', 'running')",
  );
  const orphans = sql.prepare<[], { id: number }>(`
    SELECT id FROM runs WHERE status IN ('queued', 'running')
      AND (owner IS NULL OR owner NOT IN (SELECT owner FROM owners))`);
  const interrupt = sql.prepare<[number, string, number]>(`
    UPDATE runs SET status = 'interrupted', ended_ms = ?, progress = NULL, owner = NULL, cancel_requested = 0, error = ?
    WHERE id = ? AND status IN ('queued', 'running')
      AND (owner IS NULL OR owner NOT IN (SELECT owner FROM owners))`);
  const remove = sql.prepare<[number]>("DELETE FROM runs WHERE id = ? AND status NOT IN ('queued', 'running')");

  return {
    /** Inserts a queued run; `folderOf` gives its folder from its id and may make it, within the transaction. */
    insert: sql.transaction((run: NewRun, folderOf: (id: number) => string): number => {
      const draft = { ...run, config: JSON.stringify(run.config), folder: `draft-${run.owner}-${run.createdMs}` };
      const id = Number(insert.run(draft).lastInsertRowid);
      setFolder.run(folderOf(id), id);
      return id;
    }),
    find: (id: number) => optional(byId.get(id)),
    findByFolder: (folder: string) => optional(byFolder.get(folder)),
    /** The newest stopped run with the same settings. */
    findStopped: (configKey: string) => optional(stoppedLike.get(configKey)),
    live: () => live.all().map(read),
    newest: (limit: number) => newest.all(limit).map(read),
    /** The owner's oldest queued run. */
    nextQueued: (owner: string) => queued.get(owner)?.id ?? null,
    /** Makes a queued run the one that works; false while any other does. */
    claim: (id: number, owner: string, nowMs: number) => claim.run(nowMs, id, owner).changes > 0,
    setStage: (id: number, owner: string, stage: string | null) => setStage.run(stage, id, owner).changes > 0,
    setProgress: (id: number, owner: string, progress: unknown) => void setProgress.run(toJson(progress), id, owner),
    setAdapter: (id: number, owner: string, adapter: string) => void setAdapter.run(adapter, id, owner),
    /** False when the run is no longer this owner's. */
    end: (id: number, owner: string, status: RunStatus, error: unknown, nowMs: number) =>
      end.run(status, toJson(error), nowMs, id, owner).changes > 0,
    requestCancel: (id: number) => askCancel.run(id).changes > 0,
    /** Queues a stopped run again; false when it is not stopped. */
    requeue: (id: number, owner: string, config: unknown) => requeue.run(owner, JSON.stringify(config), id).changes > 0,
    cancelWanted: (owner: string) => cancelWanted.all(owner).map((row) => row.id),
    /** Runs whose process is gone. */
    orphans: () => orphans.all().map((row) => row.id),
    interrupt: (id: number, error: unknown, nowMs: number) => interrupt.run(nowMs, JSON.stringify(error), id).changes > 0,
    /** False while it is queued or running, or when there is none. */
    remove: (id: number) => remove.run(id).changes > 0,
  };
}

function optional(row: RawRun | undefined): RunRow | null {
  return row === undefined ? null : read(row);
}

function read(row: RawRun): RunRow {
  const { cancelRequested, ...rest } = row;
  return {
    ...rest,
    config: fromJson(row.config, "runs.config"),
    progress: fromJson(row.progress, "runs.progress"),
    error: fromJson(row.error, "runs.error"),
    isCancelRequested: cancelRequested === 1,
    lastStep: row.lastStep ?? 0,
  };
}
