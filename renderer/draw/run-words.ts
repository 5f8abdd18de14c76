// Words for what a run does and how it stands: one table each.

import { formatDuration } from "./format.ts";
import { gramNeeds, type ProgressEvent, type RunStartInput, type RunStatus, type RunSummary, type Stage, type StageStatus } from "../../main/rpc/contract.ts";

export const stageNames: Record<Stage, string> = {
  calibrate: "Calibrate",
  init: "Initialise",
  train: "Train",
  probe: "Knowledge",
  "task-probe": "Task",
};

export const stageDoings: Record<Stage, string> = {
  calibrate: "Reads what to keep",
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

type Method = NonNullable<RunStartInput["method"]>;

/** Every method with its name and one plain sentence; the first four are offered first. */
export const methodList: readonly { value: Method; name: string; about: string }[] = [
  { value: "lora-null-v2", name: "LoRA-Null v2", about: "Keeps most. The half that meets the inputs stays in the null space and is frozen." },
  { value: "lora-null-v1", name: "LoRA-Null v1", about: "Starts in the null space, then both halves train. Learns more, keeps a little less." },
  { value: "task-null", name: "Task-aware null space", about: "Frozen directions that your task uses much and the knowledge little. Our own, new." },
  { value: "lora", name: "LoRA", about: "The usual start. For comparison: nothing protects what the model knows." },
  { value: "corda-knowledge", name: "CorDA, knowledge", about: "Trains the part of each weight that the knowledge uses least." },
  { value: "corda-task", name: "CorDA, task", about: "Trains the part of each weight that the task uses most." },
  { value: "pissa", name: "PiSSA", about: "Trains the strongest part of each weight. Learns fast." },
  { value: "milora", name: "MiLoRA", about: "Trains the weakest part of each weight." },
  { value: "olora", name: "OLoRA", about: "Starts from orthonormal columns of each weight." },
  { value: "eva", name: "EVA", about: "Looks where the task's inputs vary most, and starts at zero." },
];

/** What a method reads before it starts. */
export function readsText(method: Method): string {
  return { knowledge: "Reads the calibration questions", task: "Reads the training prompts", "knowledge and task": "Reads questions and prompts", none: "Reads nothing" }[gramNeeds[method]];
}

export const methodNames: Record<string, string> = Object.fromEntries(methodList.map(({ value, name }) => [value, name]));

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
