// Rows of the store as the shapes that callers get.

import type { NoteRow } from "../db/run-notes.ts";
import type { ProbeRow } from "../db/probes.ts";
import type { RunRow } from "../db/runs.ts";
import type { Store } from "../db/store.ts";
import type { JobResult, ProbeResult, RowsReport } from "../engine/job-results.ts";
import { bytesOf } from "./disk-use.ts";
import type { ProbeStart } from "./params/probes.ts";
import { probeScores } from "./probe-scores.ts";
import { scoreWords } from "./score-words.ts";
import type { BaseSource, ProbeSummary } from "./shapes/probes.ts";
import type { ProgressEvent } from "../engine/events.ts";
import type { RunConfig, RunDetail, RunMemory, RunNote, RunSummary, Stage, StageView } from "./shapes/runs.ts";
import { ballotsOf, talliesOf } from "./votes.ts";

const stopped: ReadonlySet<string> = new Set(["failed", "cancelled", "interrupted"]);

export function runSummary(row: RunRow): RunSummary {
  const config = row.config as RunConfig;
  return {
    id: row.id,
    name: row.name,
    kind: row.kind,
    status: row.status,
    stage: row.stage as Stage | null,
    progress: row.progress as ProgressEvent | null,
    modelPath: row.modelPath,
    modelName: row.modelName,
    method: config.kind === "full" ? config.method : null,
    rank: config.kind === "full" ? config.rank : null,
    folder: row.folder,
    adapter: row.adapter,
    createdMs: row.createdMs,
    startedMs: row.startedMs,
    endedMs: row.endedMs,
    workedMs: row.workedMs ?? (row.startedMs === null || row.endedMs === null ? null : row.endedMs - row.startedMs),
    lastStep: row.lastStep,
    lastLossNats: row.lastLossNats,
    lastCheckpointStep: row.lastCheckpointStep,
    canResume: stopped.has(row.status),
    isCancelling: row.isCancelRequested,
    error: row.error as RunSummary["error"],
  };
}

export function runDetail(store: Store, row: RunRow): RunDetail {
  return {
    ...runSummary(row),
    config: row.config as RunConfig,
    rows: store.runRows.find(row.id) as RowsReport | null,
    validations: store.runValidations.after(row.id, 0),
    retentions: store.runRetentions.after(row.id, -1),
    memory: store.runMemory.find(row.id) as RunMemory | null,
    stages: stageViews(store, row.id),
    checkpoints: store.checkpoints.list(row.id),
    notes: store.runNotes.after(row.id, 0).map(runNote),
    probes: store.probes.ofRun(row.id).map((probe) => probeSummary(store, probe)),
    votes: talliesOf(store, row.id),
    ballots: ballotsOf(store, row.id),
    diskBytes: bytesOf(row.folder),
  };
}

export function stageViews(store: Store, runId: number): StageView[] {
  const worked = store.runSpans.byStage(runId);
  return store.runStages.list(runId).map((row) => ({
    ...row,
    stage: row.stage as Stage,
    // Of a stage under way it grows all the time: that would be a change of the stages with every look.
    workedMs: row.status === "running" ? null : (worked.get(row.stage) ?? (row.startedMs === null || row.endedMs === null ? null : row.endedMs - row.startedMs)),
    result: row.result as JobResult | null,
  }));
}

export function runNote({ id, atMs, kind, text, warning }: NoteRow): RunNote {
  return { id, atMs, kind, text, warning: warning as RunNote["warning"] };
}

export function probeSummary(store: Store, row: ProbeRow): ProbeSummary {
  const result = row.result as ProbeResult | null;
  const scores = row.status === "done" ? probeScores(store, row.id) : null;
  return {
    id: row.id,
    runId: row.runId,
    style: row.style,
    status: row.status,
    config: row.config as ProbeStart,
    progress: row.progress as ProgressEvent | null,
    base: result?.base ?? null,
    tuned: result?.tuned ?? null,
    lost: result?.lost ?? null,
    gained: result?.gained ?? null,
    scores,
    words: scores && scoreWords(row.style, scores),
    questionsPerSecond: result?.questionsPerSecond || null,
    baseFrom: row.baseFrom as BaseSource | null,
    createdMs: row.createdMs,
    endedMs: row.endedMs,
    error: row.error as ProbeSummary["error"],
  };
}
