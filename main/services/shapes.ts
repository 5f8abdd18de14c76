// What services give back: plain objects, the same for the window, the command line and the tests.
// In: rows of main/db and events of main/engine. Out: main/rpc/contract.ts, which promises these shapes.

import type { ErrorParts } from "../../native-models/errors.ts";
import type { InputReport, ModuleReport, StartReport } from "../../native-models/starts/report.ts";
import type { TensorDtype } from "../../native-models/checkpoint/types.ts";
import type { LengthHistogram } from "../../native-models/data/histogram.ts";
import type { RowsAccount } from "../../native-models/data/row-tally.ts";
import type { JobResult, ProbeScore, CalibrateResult, CalibrateTaskResult, InitResult, RowsHead, RowsReport } from "../engine/jobs.ts";
import type { MemoryPlan, MemoryProposal } from "../../native-models/training/memory-plan.ts";
import type { MeasuredWidth } from "../engine/readers.ts";
import type { ProbeAnswer, ProgressEvent, RetentionPoint, TrainPoint, ValidationPoint } from "../engine/events.ts";
import type { Verdict } from "../db/turns.ts";
import type { Ballot, VoteCount } from "../db/votes.ts";
import type { cacheKinds, RunSettings, TrainSettings, ProbeStart, Sampling, Subject } from "./params.ts";

export type { ErrorParts, TrainPoint, ValidationPoint, RetentionPoint, ProgressEvent, ProbeAnswer, ProbeScore, MemoryPlan, MemoryProposal };
export type { Ballot, Verdict };
export type { ColumnMapping, Sampling, Split, Subject } from "./params.ts";
export type { InputReport, ModuleReport, StartReport };
export type { RowsHead, RowsReport } from "../engine/jobs.ts";
export type { DropReason, RowCounts, RowsAccount } from "../../native-models/data/row-tally.ts";
/** One token of a real row. Show `text` as it is (leading spaces are real). */
export type { RowPreview, TokenChip } from "../../native-models/data/rows/preview.ts";
export type { TemplateView } from "../../native-models/data/template-text.ts";

// ---- models ----

/** A model folder, read from its headers only. `problem` is null when it can be trained. */
export interface ModelSummary {
  path: string;
  name: string;
  /** Watched folder it was found in; null when scanned by hand. */
  folderId: number | null;
  /** Null in all the fields below when the folder is not usable. */
  modelType: string | null;
  parameters: number | null;
  sizeBytes: number | null;
  dtype: TensorDtype | "mixed" | null;
  layers: number | null;
  hidden: number | null;
  vocabulary: number | null;
  contextTokens: number | null;
  hasChatTemplate: boolean;
  fingerprint: string | null;
  problem: ErrorParts | null;
  /** When this app first and last saw it. */
  firstSeenMs: number;
  lastSeenMs: number;
}

export interface WatchedFolder {
  id: number;
  path: string;
  addedMs: number;
  /** False while the disk is unplugged or the folder was moved. */
  isThere: boolean;
}

/** Everything the models page shows. `models.follow` gives a new one whenever something changed. */
export interface ModelsView {
  folders: WatchedFolder[];
  models: ModelSummary[];
  /** A scan is under way. */
  isScanning: boolean;
}

/** Fetching the sample model; `model` at the end, in a folder that is watched from then on. */
export type SampleModelEvent = { type: "progress"; progress: ProgressEvent } | { type: "done"; model: ModelSummary; source: "present" | "hub" | "pip" };

// ---- data previews ----

export type Histogram = LengthHistogram;

/** A look at training rows: the head at once, the counts as they grow, and "done" at the end. Leaving it stops the count. */
export type RowsPreviewEvent =
  | { type: "head"; head: RowsHead }
  | { type: "progress"; progress: ProgressEvent }
  /** What became of the rows so far. */
  | { type: "counts"; account: RowsAccount }
  /** Account null: the format is unknown or a row does not fit it (the head says why). Refusal: why the run would not start. */
  | { type: "done"; account: RowsAccount | null; refusal: ErrorParts | null };

export interface QuestionsPreview {
  path: string;
  total: number;
  withAnswers: number;
  /** Tokens of all questions joined, as calibration reads them; null when no model was given. */
  totalTokens: number | null;
  histogram: Histogram | null;
  questions: { index: number; question: string; answers: string[] }[];
}

// ---- runs ----

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

// ---- probes ----

/** A number with its 95 % interval. */
export interface Estimate {
  value: number;
  low: number;
  high: number;
}

/** Share of right answers; Wilson interval. */
export interface ShareScore extends Estimate {
  right: number;
  asked: number;
}

export interface SubjectScores {
  /** By the task's own rule. */
  exact: ShareScore;
  /** The loose one: an accepted answer stands somewhere in the text. */
  contains: ShareScore;
  /** Mean ln p a token of the answer that is taken as right, nats (negative); bootstrap interval. Null where the task has none. */
  likelihoodNats: Estimate | null;
}

/** Tuned against base on the same questions. */
export interface ProbeChange {
  questions: number;
  /** kept: right as before; wrong: wrong as before. */
  flips: { lost: number; gained: number; kept: number; wrong: number };
  exact: {
    /** Of the shares, tuned − base; paired bootstrap. */
    difference: Estimate;
    /** McNemar's exact test of lost against gained. */
    pValue: number;
    /** Tuned right answers relative to the base's; paired bootstrap. Null where the base has none. */
    retention: Estimate | null;
  };
  /** Null where the task takes no likelihood. */
  likelihood: {
    differenceNats: Estimate;
    /** Paired bootstrap. */
    pValue: number;
    /** exp of the difference, as native-models/training/retention.ts defines retention. */
    retention: Estimate;
  } | null;
}

export interface ProbeScores {
  base: SubjectScores;
  tuned: SubjectScores | null;
  change: ProbeChange | null;
}

/** The same in words. */
export interface ScoreWords {
  /** The one number: what was kept ("95 %"), or what was learnt ("+58 points"). */
  headline: string;
  headlineOf: "exact" | "likelihood";
  exact: string;
  likelihood: string | null;
  flips: string;
}

/** Where answers of the base come from that were not asked again. */
export interface BaseSource {
  probeId: number;
  /** Of that probe; null where it stood alone. */
  runId: number | null;
  askedMs: number;
  /** How many were taken. */
  answers: number;
}

export interface ProbeSummary {
  id: number;
  runId: number | null;
  style: "knowledge" | "task";
  status: RunStatus;
  config: ProbeStart;
  progress: ProgressEvent | null;
  /** Set once the probe is done. */
  base: ProbeScore | null;
  tuned: ProbeScore | null;
  lost: number | null;
  gained: number | null;
  /** Each number with its uncertainty; null until the probe is done. */
  scores: ProbeScores | null;
  /** Null without a tuned model to compare. */
  words: ScoreWords | null;
  questionsPerSecond: number | null;
  /** Null where the base was asked. */
  baseFrom: BaseSource | null;
  createdMs: number;
  endedMs: number | null;
  error: (ErrorParts & { isBug: boolean }) | null;
}

export type ProbeEvent =
  | { type: "probe"; probe: ProbeSummary }
  | { type: "answers"; answers: ProbeAnswer[] }
  | { type: "ended"; probe: ProbeSummary };

/** One question with both answers, for lists of flips. */
export interface AnswerPair {
  index: number;
  question: string;
  accepted: string[];
  /** As the model read it. */
  prompt: string;
  base: ProbeAnswer | null;
  tuned: ProbeAnswer | null;
  /** kept: right as before; wrong: wrong as before. */
  flip: "lost" | "gained" | "kept" | "wrong";
  /** Of the right answer's likelihood, tuned − base, nats a token; null where it was not taken of both. */
  changeNats: number | null;
}

/** Questions of each kind. */
export type AnswerCounts = Record<AnswerPair["flip"] | "all", number>;

// ---- conversations ----


/** A model that can be asked: the base, or a run's adapter or checkpoint. */
export interface SubjectView {
  subject: Subject;
  /** Short: "Base", "Run 3", "Run 3, step 20". */
  label: string;
  /** The run's name or the adapter's folder. */
  about: string;
}

export interface ChatSummary {
  id: number;
  title: string;
  modelPath: string;
  modelName: string;
  /** From left to right; in a blind conversation the order of each prompt is another. */
  subjects: SubjectView[];
  isBlind: boolean;
  turns: number;
  createdMs: number;
  updatedMs: number;
}

export interface ChatDetail extends Omit<ChatSummary, "turns"> {
  template: "chat" | "alpaca" | "none";
  /** All turns, oldest first; `parentId` makes them a tree. */
  turns: TurnView[];
}

export interface AnswerView {
  text: string;
  tokens: number;
  /** hand: it was stopped. */
  stopped: "eos" | "length" | "hand";
  /** Its tokens are known, so that their surprise can be worked out. */
  hasTokens: boolean;
}

export interface TurnView {
  id: number;
  parentId: number | null;
  prompt: string;
  system: string;
  sampling: Sampling;
  /** From left to right; empty when it was never answered. */
  answers: AnswerView[];
  /** Which of the conversation's subjects answers at each place; null while a blind turn waits for its vote. */
  places: number[] | null;
  verdict: Verdict | null;
  tokensPerSecond: number | null;
  createdMs: number;
}

export interface WeightsView {
  width: "float32" | "int8" | "int4";
  /** Of the width in use, or of the one that was not worth it; null where nothing was rounded. */
  measured: MeasuredWidth | null;
  /** The same in a sentence. */
  words: string;
}

export type AskEvent =
  /** Before the first token; `places` as in the turn. */
  | { type: "begun"; chatId: number; turn: TurnView }
  | { type: "progress"; progress: ProgressEvent }
  /** Text to append to the column at that place. */
  | { type: "token"; column: number; text: string }
  /** The column's answer is whole; others may go on. */
  | { type: "column-ended"; column: number; stopped: "eos" | "length" }
  | { type: "warning"; warning: ErrorParts }
  /** What the answers are computed with. */
  | { type: "weights"; weights: WeightsView }
  /** `prompt`: what the model at the first place saw; null in a blind conversation. */
  | { type: "done"; chatId: number; turn: TurnView; prompt: string | null };

/** −ln p of every token of every answer, by place, under each of the conversation's subjects: [subject][token]. */
export interface TurnSurprise {
  answers: { texts: string[]; nats: number[][] }[];
}

export type SurpriseEvent = { type: "progress"; progress: ProgressEvent } | { type: "done"; surprise: TurnSurprise };

/** How a conversation's prompts are written. */
export interface ChatTemplateView {
  template: "chat" | "alpaca" | "none";
  /** Jinja of the chat template, or the Alpaca prompt with its places; null where the prompt is taken as it is. */
  text: string | null;
  warning: ErrorParts | null;
}

/** Votes for one state of a run ("its adapter", "step 20") against one rival ("the base", "run 2"). */
export interface VoteTally extends VoteCount {
  /** Share of the votes with a winner that the run won, with its 95 % Wilson interval; null without any. */
  share: { value: number; low: number; high: number } | null;
  /** Two-sided sign test of won against lost; null without any. */
  p: number | null;
}

// ---- single stages, for the command line ----

export type StageEvent<R> =
  | { type: "progress"; progress: ProgressEvent }
  | { type: "warning"; warning: ErrorParts }
  | { type: "done"; result: R; isReused: boolean };

export type CalibrateEvent = StageEvent<CalibrateResult>;
/** Leaving the stream cancels it. */
export type StartReportEvent = { type: "progress"; progress: ProgressEvent } | { type: "done"; report: StartReport };
export type CalibrateTaskEvent = StageEvent<CalibrateTaskResult>;
export type InitEvent = StageEvent<InitResult>;

// ---- files, settings, system ----

export interface FileEntry {
  name: string;
  path: string;
  /** model: a folder with a config.json · data: .jsonl .json .csv .parquet .gz .txt */
  kind: "folder" | "model" | "data";
  sizeBytes: number | null;
  modifiedMs: number;
}

export interface FileListing {
  dir: string;
  parent: string | null;
  /** Home, drives, the samples and the watched folders. */
  places: { name: string; path: string }[];
  entries: FileEntry[];
  /** More entries were there than are listed. */
  isCut: boolean;
}

export type CacheKind = (typeof cacheKinds)[number];

/** What the cache holds of one kind. */
export interface CacheUse {
  kind: CacheKind;
  about: string;
  entries: number;
  bytes: number;
  /** Runs and probes at work that may read it: it is not cleared meanwhile. */
  readBy: string[];
}

export interface CacheView {
  folder: string;
  kinds: CacheUse[];
}

export interface AppSettings {
  theme: "system" | "light" | "dark";
  /** Settings of the last run that was started: the next form opens with them. */
  lastRun: RunSettings | null;
}

export interface SystemInfo {
  version: string;
  node: string;
  platform: string;
  arch: string;
  cpus: number;
  cpuName: string;
  memoryBytes: number;
  freeMemoryBytes: number;
  /** The store: database, runs and caches. */
  home: string;
  /** The samples shipped with the app. */
  samples: { name: string; path: string }[];
}
