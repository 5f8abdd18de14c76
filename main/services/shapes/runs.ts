// Runs as services give them back: rows of main/db in the words of the window, and the events of one that is followed.

import type { ErrorParts } from "../../../native-models/errors.ts";
import type { MemoryPlan } from "../../../native-models/training/memory-plan.ts";
import type { Ballot } from "../../db/votes.ts";
import type { ProgressEvent, RetentionPoint, TrainPoint, ValidationPoint } from "../../engine/events.ts";
import type { JobResult, RowsReport } from "../../engine/job-results.ts";
import type { RunSettings } from "../params/runs.ts";
import type { TrainSettings } from "../params/training.ts";
import type { VoteTally } from "./chats.ts";
import type { ProbeSummary } from "./probes.ts";

export type RunStatus = "queued" | "running" | "done" | "failed" | "cancelled" | "interrupted";
export type RunKind = "full" | "train";
export type Stage = "calibrate" | "init" | "train" | "probe" | "task-probe";
/** reused: the same work was found in the store and not computed again. */
export type StageStatus = "waiting" | "running" | "done" | "reused" | "failed" | "cancelled" | "interrupted";

export interface StageView {
  stage: Stage;
  status: StageStatus;
  startedMs: number | null;
  endedMs: number | null;
  /** Time spent at work, all tries together, without the pauses between them. */
  workedMs: number | null;
  /** File or folder written. */
  output: string | null;
  result: JobResult | null;
}

export interface RunSummary {
  id: number;
  name: string;
  kind: RunKind;
  status: RunStatus;
  /** The stage under way, or the one it stopped in. */
  stage: Stage | null;
  progress: ProgressEvent | null;
  modelPath: string;
  modelName: string;
  method: string | null;
  rank: number | null;
  /** The run's folder: checkpoints/, adapter/, start/. */
  folder: string;
  /** PEFT folder once training is done, else null. */
  adapter: string | null;
  createdMs: number;
  startedMs: number | null;
  endedMs: number | null;
  /** Time spent at work, without the pauses before it was resumed; null where none was. */
  workedMs: number | null;
  /** Last optimizer step with a point, 0 before the first. */
  lastStep: number;
  lastLossNats: number | null;
  lastCheckpointStep: number | null;
  /** Stopped, and `runs.resume` goes on from the last checkpoint or stage. */
  canResume: boolean;
  isCancelling: boolean;
  error: (ErrorParts & { isBug: boolean }) | null;
}

/** Settings as they were given, with the template that "auto" came to. */
export type RunConfig = (({ kind: "full" } & RunSettings) | ({ kind: "train" } & TrainSettings)) & {
  /** Exact text of the chat template when the run was made: used throughout the run. Null: the Alpaca prompt; absent: an older run. */
  chatTemplate?: string | null;
};

export interface RunNote {
  id: number;
  atMs: number;
  kind: "warning" | "resumed" | "interrupted" | "reused";
  /** One sentence for people; a warning's three parts joined. */
  text: string;
  warning: ErrorParts | null;
}

export interface CheckpointView {
  step: number;
  path: string;
  writtenMs: number;
}

/** What training was estimated to take before it began, and the most its process was seen to take, null until it ended. */
export interface RunMemory {
  estimate: MemoryPlan;
  measuredBytes: number | null;
}

/** What a training with these settings would take. */
export interface RunEstimate extends MemoryPlan {
  /** Tokens that one measurement of retention reads; null where it is not measured. */
  retentionTokens: number | null;
}

export interface RunDetail extends RunSummary {
  config: RunConfig;
  /** What became of the training rows; null until they were counted. */
  rows: RowsReport | null;
  stages: StageView[];
  /** Losses on the validation rows, in order; empty without validation. */
  validations: ValidationPoint[];
  /** What of the base's knowledge was there while it trained, in order, from step 0; empty where it was not measured. */
  retentions: RetentionPoint[];
  memory: RunMemory | null;
  checkpoints: CheckpointView[];
  notes: RunNote[];
  probes: ProbeSummary[];
  /** Votes of blind comparisons: what they come to, and the last of them, newest first. */
  votes: VoteTally[];
  ballots: Ballot[];
  /** Bytes of the run's folder. */
  diskBytes: number;
}

/** `runs.follow` replays what is stored, then goes on live, without gap or repetition; it ends after "ended". */
export type RunEvent =
  | { type: "run"; run: RunSummary }
  | { type: "stages"; stages: StageView[] }
  /** What became of the training rows, once they are counted. */
  | { type: "rows"; rows: RowsReport }
  | { type: "points"; points: TrainPoint[] }
  | { type: "validations"; validations: ValidationPoint[] }
  | { type: "retentions"; retentions: RetentionPoint[] }
  /** Training went back to a checkpoint: points, validations and retentions after `toStep` no longer hold and will come again. */
  | { type: "rewound"; toStep: number }
  | { type: "checkpoint"; checkpoint: CheckpointView }
  | { type: "note"; note: RunNote }
  | { type: "ended"; run: RunDetail };
