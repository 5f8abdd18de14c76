// The one contract between the window, the command line, the tests and the services.
// A caller builds a `Client` over any transport (client.ts) and calls client.runs.start({...}); streams are async
// iterators that end by themselves and are stopped by the call's AbortSignal or by leaving the loop.
// Errors: code "USER" carries { what, where, fix } and is shown as it is; code "BUG" carries an id to look up in the log.

import { eventIterator, oc, type, type ContractRouterClient, type Schema } from "@orpc/contract";
import { z } from "zod";
import type * as s from "../services/shapes.ts";
import * as p from "../services/params.ts";

export type * from "../services/shapes.ts";
/** Defaults and schemas of the two calls that a person fills in, so that a form says what is wrong before it is sent. */
export { askParams, cacheKinds, defaultLearningRates, defaults, gramNeeds, mostColumns, readsKnowledge, readsTask, runParams } from "../services/params.ts";
export { infoOf, measureRows, probeTaskInfo, probeTaskOf, rowsInfo, shortAnswered, type ProbeTaskInfo } from "../services/probe-tasks.ts";

const base = oc.errors({
  USER: { status: 422, data: z.object({ what: z.string(), where: z.string(), fix: z.string() }) },
  BUG: { status: 500, data: z.object({ bugId: z.string() }) },
});

const stream = <T>() => eventIterator(type<unknown>() as Schema<T, T>);

export const contract = {
  models: {
    /** Model folders under `dir`, read now; nothing is remembered. */
    scan: base.input(p.dirParams).output(type<s.ModelSummary[]>()),
    list: base.output(type<s.ModelsView>()),
    addFolder: base.input(p.pathParams).output(type<s.WatchedFolder>()),
    removeFolder: base.input(p.idParams).output(type<void>()),
    /** The whole view now, and again whenever it changed. Never ends by itself. */
    follow: base.output(stream<s.ModelsView>()),
    /** Brings the sample model (SmolLM2-135M-Instruct, about 270 MB) into the store; leaving the stream cancels it. */
    fetchSample: base.output(stream<s.SampleModelEvent>()),
  },
  demo: {
    /** Starts the demo's run on a model, or goes on with one that stopped. `prompts`: what to ask both models afterwards. */
    start: base.input(p.demoParams).output(type<{ id: number; prompts: string[] }>()),
  },
  data: {
    previewQuestions: base.input(p.previewQuestionsParams).output(type<s.QuestionsPreview>()),
    /** Format, columns and first rows at once, then the counts as they grow; leaving the stream stops them. */
    previewRows: base.input(p.previewRowsParams).output(stream<s.RowsPreviewEvent>()),
  },
  runs: {
    start: base.input(p.runParams).output(type<{ id: number }>()),
    /** The memory that training with these settings would take, and the text that retention reads; null while the rows cannot be trained on. */
    estimate: base.input(p.memoryParams).output(type<s.RunEstimate | null>()),
    list: base.input(p.listParams).output(type<s.RunSummary[]>()),
    /** The list now, and again whenever a run changed (also by another process). Never ends by itself. */
    followList: base.input(p.listParams).output(stream<s.RunSummary[]>()),
    show: base.input(p.idParams).output(type<s.RunDetail>()),
    points: base.input(p.pointsParams).output(type<s.TrainPoint[]>()),
    /** Stored events after `afterStep`, then live ones; ends when the run does. */
    follow: base.input(p.followRunParams).output(stream<s.RunEvent>()),
    /** What the run's start looks like; computed once, seconds to a minute. */
    startReport: base.input(p.idParams).output(stream<s.StartReportEvent>()),
    cancel: base.input(p.idParams).output(type<s.RunSummary>()),
    resume: base.input(p.idParams).output(type<{ id: number }>()),
    /** The row and its folder. A run that works must be cancelled first. */
    delete: base.input(p.idParams).output(type<void>()),
  },
  stages: {
    /** One stage alone; leaving the stream cancels it. */
    calibrate: base.input(p.calibrateParams).output(stream<s.CalibrateEvent>()),
    /** The prompts of training rows, for methods that look at the task. */
    calibrateTask: base.input(p.calibrateTaskParams).output(stream<s.CalibrateTaskEvent>()),
    init: base.input(p.initParams).output(stream<s.InitEvent>()),
    /** Spectra, energies and angles of a start. */
    report: base.input(p.startReportParams).output(stream<s.StartReportEvent>()),
    /** Training alone, as a run of its own: follow it by its id. */
    train: base.input(p.trainParams).output(type<{ id: number }>()),
  },
  probe: {
    start: base.input(p.probeParams).output(type<{ id: number }>()),
    list: base.input(p.listParams).output(type<s.ProbeSummary[]>()),
    follow: base.input(p.idParams).output(stream<s.ProbeEvent>()),
    answers: base.input(p.answersParams).output(type<s.AnswerPair[]>()),
    /** Questions of each kind that a search finds. */
    countAnswers: base.input(p.countAnswersParams).output(type<s.AnswerCounts>()),
    /** The answers as the text of a CSV or JSONL file, in parts. */
    exportAnswers: base.input(p.exportAnswersParams).output(stream<string>()),
    cancel: base.input(p.idParams).output(type<void>()),
  },
  chats: {
    /** Streams every column's text; leaving the stream stops it. The answers are kept as a turn of the conversation. */
    ask: base.input(p.askParams).output(stream<s.AskEvent>()),
    /** Ends a turn's answers where they are; its stream then ends as usual. */
    stop: base.input(p.turnParams).output(type<void>()),
    /** Models that can be asked beside a base model: its runs' adapters and checkpoints. */
    choices: base.input(p.choicesParams).output(type<s.SubjectView[]>()),
    /** How prompts to these models would be written. */
    template: base.input(p.chatTemplateParams).output(type<s.ChatTemplateView>()),
    list: base.input(p.chatsParams).output(type<s.ChatSummary[]>()),
    show: base.input(p.idParams).output(type<s.ChatDetail>()),
    rename: base.input(p.renameParams).output(type<void>()),
    forget: base.input(p.idParams).output(type<void>()),
    export: base.input(p.exportParams).output(type<{ fileName: string; text: string }>()),
    /** −ln p of each answer's tokens under every model; leaving the stream stops it. */
    surprise: base.input(p.turnParams).output(stream<s.SurpriseEvent>()),
    /** Judges a blind turn, which then says which model was where. */
    vote: base.input(p.voteParams).output(type<s.TurnView>()),
    tallies: base.input(p.runIdParams).output(type<s.VoteTally[]>()),
    resetVotes: base.input(p.runIdParams).output(type<{ forgotten: number }>()),
  },
  files: {
    /** Folders and data files, for a picker. */
    list: base.input(p.filesParams).output(type<s.FileListing>()),
  },
  cache: {
    /** What is kept so that it need not be computed again, by kind. */
    list: base.output(type<s.CacheView>()),
    /** Deletes it; gives back what was there. What runs and probes at work may read is refused. */
    clear: base.input(p.cacheParams).output(type<s.CacheUse[]>()),
  },
  settings: {
    get: base.output(type<s.AppSettings>()),
    set: base.input(p.settingsParams).output(type<s.AppSettings>()),
  },
  system: {
    info: base.output(type<s.SystemInfo>()),
  },
};

export type Contract = typeof contract;
/** What the window, the command line and the tests hold: the same calls over every transport. */
export type Client = ContractRouterClient<Contract>;
/** Params as callers write them (defaults left out). */
export type RunStartInput = z.input<typeof p.runParams>;
export type AskStartInput = z.input<typeof p.askParams>;
export type ProbeStartInput = z.input<typeof p.probeParams>;
