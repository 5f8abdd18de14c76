// Words for what a run does and how it stands: one table each.

import { formatDuration } from "./format.ts";
import type { ProgressEvent, RunStatus, RunSummary, Stage, StageStatus } from "../../main/rpc/contract.ts";

export const stageNames: Record<Stage, string> = {
  calibrate: "Calibrate",
  init: "Initialise",
  train: "Train",
  probe: "Knowledge",
  "task-probe": "Task",
};

export const stageDoings: Record<Stage, string> = {
  calibrate: "Reads the questions",
  init: "Places the adapter",
  train: "Learns your rows",
  probe: "Asks what it knows",
  "task-probe": "Tries the task",
};

export const statusNames: Record<RunStatus | StageStatus, string> = {
  queued: "Queued",
  waiting: "Waiting",
  running: "Running",
  done: "Done",
  reused: "Reused",
  failed: "Failed",
  cancelled: "Cancelled",
  interrupted: "Interrupted",
};

export const methodNames: Record<string, string> = {
  "lora-null-v1": "LoRA-Null v1",
  "lora-null-v2": "LoRA-Null v2",
  lora: "LoRA",
};

/** Share of a stage's work that is done, 0 to 1; null while unknown. */
export function progressShare(progress: ProgressEvent | null): number | null {
  if (progress === null || progress.total <= 0) return null;
  return Math.min(1, Math.max(0, progress.done / progress.total));
}

export function isWorking(run: Pick<RunSummary, "status">): boolean {
  return run.status === "running" || run.status === "queued";
}

/** One line: where the run is. */
export function runLine(run: RunSummary): string {
  if (run.isCancelling && run.status === "running") return "Stopping …";
  if (run.status === "running") return run.stage === null ? "Starting" : (run.progress?.stage ?? stageNames[run.stage]);
  if (run.status === "queued") return "Waits for the run before it";
  if (run.status === "done") return run.workedMs === null ? "" : `Took ${formatDuration(run.workedMs)}`;
  const where = run.stage === null ? "" : `Stopped in ${stageNames[run.stage].toLowerCase()}`;
  const from = run.canResume && run.lastCheckpointStep !== null ? ` · resumes from step ${run.lastCheckpointStep}` : "";
  return `${where}${from}`;
}
