// The one contract between the window, the command line, the tests and the services.
// A caller builds a `Client` over any transport (client.ts) and calls client.runs.start({...}); streams are async
// iterators that end by themselves and are stopped by the call's AbortSignal or by leaving the loop.
// Errors: code "USER" carries { what, where, fix } and is shown as it is; code "BUG" carries an id to look up in the log.

import { eventIterator, oc, type, type ContractRouterClient, type Schema } from "@orpc/contract";
import { z } from "zod";
import type { TrainPoint } from "../engine/events.ts";
import { cacheParams, demoParams, filesParams, settingsParams } from "../services/params/app.ts";
import { askParams, chatsParams, chatTemplateParams, choicesParams, exportParams, renameParams, turnParams, voteParams } from "../services/params/chats.ts";
import { previewQuestionsParams, previewRowsParams } from "../services/params/data.ts";
import { dirParams, idParams, listParams, pathParams } from "../services/params/fields.ts";
import { answersParams, countAnswersParams, exportAnswersParams, probeParams } from "../services/params/probes.ts";
import { followRunParams, pointsParams, runIdParams, runParams } from "../services/params/runs.ts";
import { calibrateParams, calibrateTaskParams, initParams, startReportParams } from "../services/params/stages.ts";
import { memoryParams, trainParams } from "../services/params/training.ts";
import type { AppSettings, CacheUse, CacheView, FileListing, SystemInfo } from "../services/shapes/app.ts";
import type { AskEvent, ChatDetail, ChatSummary, ChatTemplateView, SubjectView, SurpriseEvent, TurnView, VoteTally } from "../services/shapes/chats.ts";
import type { QuestionsPreview, RowsPreviewEvent } from "../services/shapes/data.ts";
import type { ModelSummary, ModelsView, SampleModelEvent, WatchedFolder } from "../services/shapes/models.ts";
import type { AnswerCounts, AnswerPair, ProbeEvent, ProbeSummary } from "../services/shapes/probes.ts";
import type { RunDetail, RunEstimate, RunEvent, RunSummary } from "../services/shapes/runs.ts";
import type { CalibrateEvent, CalibrateTaskEvent, InitEvent, StartReportEvent } from "../services/shapes/stages.ts";

export type * from "../services/shapes/models.ts";
export type * from "../services/shapes/data.ts";
export type * from "../services/shapes/runs.ts";
export type * from "../services/shapes/probes.ts";
export type * from "../services/shapes/chats.ts";
export type * from "../services/shapes/stages.ts";
export type * from "../services/shapes/app.ts";
export type { ProbeAnswer, ProgressEvent, RetentionPoint, TrainPoint, ValidationPoint } from "../engine/events.ts";
export type { ProbeScore, RowsHead, RowsReport } from "../engine/job-results.ts";
export type { Sampling, Subject } from "../services/params/chats.ts";
export type { ColumnMapping } from "../services/params/data.ts";
export type { Split } from "../services/params/defaults.ts";
export type { DropReason, RowCounts, RowsAccount } from "../../native-models/data/row-tally.ts";
/** One token of a real row. Show `text` as it is (leading spaces are real). */
export type { RowPreview, TokenChip } from "../../native-models/data/rows/preview.ts";
export type { TemplateView } from "../../native-models/data/template-text.ts";
export type { ErrorParts } from "../../native-models/errors.ts";
export type { InputReport, ModuleReport, StartReport } from "../../native-models/starts/report.ts";
export type { MemoryPlan, MemoryProposal } from "../../native-models/training/memory-plan.ts";
/** Defaults and schemas of the two calls that a person fills in, so that a form says what is wrong before it is sent. */
export { askParams, mostColumns } from "../services/params/chats.ts";
export { cacheKinds } from "../services/params/app.ts";
export { defaultLearningRates, gramNeeds, readsKnowledge, readsTask } from "../services/params/methods.ts";
export { defaults } from "../services/params/defaults.ts";
export { runParams } from "../services/params/runs.ts";
export { infoOf, measureRows, probeTaskInfo, probeTaskOf, rowsInfo, shortAnswered, type ProbeTaskInfo } from "../services/probe-tasks.ts";

const base = oc.errors({
  USER: { status: 422, data: z.object({ what: z.string(), where: z.string(), fix: z.string() }) },
  BUG: { status: 500, data: z.object({ bugId: z.string() }) },
});

const stream = <T>() => eventIterator(type<unknown>() as Schema<T, T>);

export const contract = {
  models: {
    /** Model folders under `dir`, read now; nothing is remembered. */
    scan: base.input(dirParams).output(type<ModelSummary[]>()),
    list: base.output(type<ModelsView>()),
    addFolder: base.input(pathParams).output(type<WatchedFolder>()),
    removeFolder: base.input(idParams).output(type<void>()),
    /** The whole view now, and again whenever it changed. Never ends by itself. */
    follow: base.output(stream<ModelsView>()),
    /** Brings the sample model (SmolLM2-135M-Instruct, about 270 MB) into the store; leaving the stream cancels it. */
    fetchSample: base.output(stream<SampleModelEvent>()),
  },
  demo: {
    /** Starts the demo's run on a model, or goes on with one that stopped. `prompts`: what to ask both models afterwards. */
    start: base.input(demoParams).output(type<{ id: number; prompts: string[] }>()),
  },
  data: {
    previewQuestions: base.input(previewQuestionsParams).output(type<QuestionsPreview>()),
    /** Format, columns and first rows at once, then the counts as they grow; leaving the stream stops them. */
    previewRows: base.input(previewRowsParams).output(stream<RowsPreviewEvent>()),
  },
  runs: {
    start: base.input(runParams).output(type<{ id: number }>()),
    /** The memory that training with these settings would take, and the text that retention reads; null while the rows cannot be trained on. */
    estimate: base.input(memoryParams).output(type<RunEstimate | null>()),
    list: base.input(listParams).output(type<RunSummary[]>()),
    /** The list now, and again whenever a run changed (also by another process). Never ends by itself. */
    followList: base.input(listParams).output(stream<RunSummary[]>()),
    show: base.input(idParams).output(type<RunDetail>()),
    points: base.input(pointsParams).output(type<TrainPoint[]>()),
    /** Stored events after `afterStep`, then live ones; ends when the run does. */
    follow: base.input(followRunParams).output(stream<RunEvent>()),
    /** What the run's start looks like; computed once, seconds to a minute. */
    startReport: base.input(idParams).output(stream<StartReportEvent>()),
    cancel: base.input(idParams).output(type<RunSummary>()),
    resume: base.input(idParams).output(type<{ id: number }>()),
    /** The row and its folder. A run that works must be cancelled first. */
    delete: base.input(idParams).output(type<void>()),
  },
  stages: {
    /** One stage alone; leaving the stream cancels it. */
    calibrate: base.input(calibrateParams).output(stream<CalibrateEvent>()),
    /** The prompts of training rows, for methods that look at the task. */
    calibrateTask: base.input(calibrateTaskParams).output(stream<CalibrateTaskEvent>()),
    init: base.input(initParams).output(stream<InitEvent>()),
    /** Spectra, energies and angles of a start. */
    report: base.input(startReportParams).output(stream<StartReportEvent>()),
    /** Training alone, as a run of its own: follow it by its id. */
    train: base.input(trainParams).output(type<{ id: number }>()),
  },
  probe: {
    start: base.input(probeParams).output(type<{ id: number }>()),
    list: base.input(listParams).output(type<ProbeSummary[]>()),
    follow: base.input(idParams).output(stream<ProbeEvent>()),
    answers: base.input(answersParams).output(type<AnswerPair[]>()),
    /** Questions of each kind that a search finds. */
    countAnswers: base.input(countAnswersParams).output(type<AnswerCounts>()),
    /** The answers as the text of a CSV or JSONL file, in parts. */
    exportAnswers: base.input(exportAnswersParams).output(stream<string>()),
    cancel: base.input(idParams).output(type<void>()),
  },
  chats: {
    /** Streams every column's text; leaving the stream stops it. The answers are kept as a turn of the conversation. */
    ask: base.input(askParams).output(stream<AskEvent>()),
    /** Ends a turn's answers where they are; its stream then ends as usual. */
    stop: base.input(turnParams).output(type<void>()),
    /** Models that can be asked beside a base model: its runs' adapters and checkpoints. */
    choices: base.input(choicesParams).output(type<SubjectView[]>()),
    /** How prompts to these models would be written. */
    template: base.input(chatTemplateParams).output(type<ChatTemplateView>()),
    list: base.input(chatsParams).output(type<ChatSummary[]>()),
    show: base.input(idParams).output(type<ChatDetail>()),
    rename: base.input(renameParams).output(type<void>()),
    forget: base.input(idParams).output(type<void>()),
    export: base.input(exportParams).output(type<{ fileName: string; text: string }>()),
    /** −ln p of each answer's tokens under every model; leaving the stream stops it. */
    surprise: base.input(turnParams).output(stream<SurpriseEvent>()),
    /** Judges a blind turn, which then says which model was where. */
    vote: base.input(voteParams).output(type<TurnView>()),
    tallies: base.input(runIdParams).output(type<VoteTally[]>()),
    resetVotes: base.input(runIdParams).output(type<{ forgotten: number }>()),
  },
  files: {
    /** Folders and data files, for a picker. */
    list: base.input(filesParams).output(type<FileListing>()),
  },
  cache: {
    /** What is kept so that it need not be computed again, by kind. */
    list: base.output(type<CacheView>()),
    /** Deletes it; gives back what was there. What runs and probes at work may read is refused. */
    clear: base.input(cacheParams).output(type<CacheUse[]>()),
  },
  settings: {
    get: base.output(type<AppSettings>()),
    set: base.input(settingsParams).output(type<AppSettings>()),
  },
  system: {
    info: base.output(type<SystemInfo>()),
  },
};

export type Contract = typeof contract;
/** What the window, the command line and the tests hold: the same calls over every transport. */
export type Client = ContractRouterClient<Contract>;
/** Params as callers write them (defaults left out). */
export type RunStartInput = z.input<typeof runParams>;
export type AskStartInput = z.input<typeof askParams>;
export type ProbeStartInput = z.input<typeof probeParams>;
