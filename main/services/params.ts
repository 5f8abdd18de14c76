// What services take: one schema a call, with the default of everything that is optional. The dispatcher checks each
// call against its schema once; the command line shows the same defaults in --help.

import { z } from "zod";
import { probeTaskInfo } from "./probe-tasks.ts";
import type { Method } from "../../native-models/nullspace/types.ts";
import type { GramNeed } from "../../native-models/starts/method.ts";
import type { TaskName } from "../../native-models/probe/task.ts";
import type { recomputedLevels } from "../../native-models/training/memory-terms.ts";

const path = z.string().min(1, "is empty").max(4096);
const id = z.int().min(1);
const seed = z.int().min(0).max(2 ** 31 - 1);
const count = (most: number) => z.int().min(1).max(most);
export const methods = ["lora-null-v2", "lora-null-v1", "task-null", "lora", "corda-knowledge", "corda-task", "pissa", "milora", "olora", "eva"] as const satisfies readonly Method[];
/** What each method reads besides the weights: text that says what must be kept, the training prompts, both or nothing. */
export const gramNeeds = {
  "lora-null-v2": "knowledge", "lora-null-v1": "knowledge", "task-null": "knowledge and task", lora: "none", "corda-knowledge": "knowledge",
  "corda-task": "task", pissa: "none", milora: "none", olora: "none", eva: "task",
} as const satisfies Record<Method, GramNeed>;
export const readsKnowledge = (method: Method): boolean => gramNeeds[method].includes("knowledge");
export const readsTask = (method: Method): boolean => gramNeeds[method].includes("task");
export const scalings = ["raw", "official"] as const;
export const templates = ["auto", "chat", "alpaca"] as const;
export const overLongChoices = ["drop", "cut-prompt", "refuse"] as const;
export const splits = ["train", "validation", "test"] as const;

/** Probe tasks; their prompts and judges are in native-models/probe. */
export const taskNames = ["nq_open", "triviaqa", "webqs", "questions", "gsm8k", "math", "humaneval", "mbpp", "mt_bench"] as const satisfies readonly TaskName[];
export const wordings = ["plain", "template"] as const;

export const keepsChoices = ["best", "last"] as const;

const recomputed: typeof recomputedLevels = ["none", "cheap", "scores", "layer"];
export const recomputedChoices = ["auto", ...recomputed] as const;

export const defaults = {
  samples: 128,
  calibrationLength: 256,
  scaling: "raw",
  method: "lora-null-v2",
  rank: 16,
  epochs: 1,
  batch: 4,
  accumulate: 4,
  length: 512,
  overLong: "drop",
  learningRate: 2e-4,
  warmupRatio: 0.03,
  clipNorm: 1,
  weightDecay: 0,
  checkpointEverySteps: 25,
  validateEverySteps: 25,
  leastImprovementNats: 0,
  retentionEverySteps: 25,
  retentionLimit: 32,
  retentionShots: 5,
  keeps: "best",
  recomputed: "auto",
  seed: 0,
  /** Measured: 16 answer 22 questions/s on two cores, 32 and 64 some 24 to 25; more gain little and take more memory. */
  probeBatch: 64,
  judgeNewTokens: 1024,
  judgeTimeoutMs: 120_000,
} as const;

/**
 * What a run takes where none is given, by a study of 24 steps of 4 GSM8K rows at rank 16, one seed (nullspace study), and
 * one of 20 steps before it: the highest rate tried that kept 95 % of the likelihood of right answers to NQ-open, but v2
 * 1e-3 of the two that did (2e-3 kept 96 to 97 %, and runs are longer than 24 steps). At 5e-4 v1 kept 94 and 91 %, its interval
 * reaching 95. The others fell below 95 % at 5e-4 (LoRA 94, MiLoRA 88, EVA 84, CorDA of the task 77, OLoRA 59; PiSSA was not
 * tried) and have the usual rate, which was not tried.
 */
export const defaultLearningRates: Readonly<Record<Method, number>> = {
  "lora-null-v2": 1e-3, "lora-null-v1": 5e-4, "task-null": 5e-4, lora: defaults.learningRate, "corda-knowledge": 5e-4, "corda-task": defaults.learningRate,
  pissa: defaults.learningRate, milora: defaults.learningRate, olora: defaults.learningRate, eva: defaults.learningRate,
};

// ---- stages ----

const calibration = {
  /** JSONL or CSV of questions. */
  questions: path,
  samples: count(100_000).default(defaults.samples),
  /** Tokens a sample. */
  calibrationLength: z.int().min(8).max(131_072).default(defaults.calibrationLength),
  /** How samples are weighed: "official" divides each by its largest input, as the LoRA-Null code does. */
  scaling: z.enum(scalings).default(defaults.scaling),
};

const start = {
  method: z.enum(methods).default(defaults.method),
  rank: count(65_536).default(defaults.rank),
};

/** Rows that are not trained on and judge the run: a file of their own, or a number or share of the training rows. */
const validation = z
  .object({
    data: path.nullable().default(null),
    rows: count(1_000_000).nullable().default(null),
    share: z.number().gt(0).lt(1).nullable().default(null),
    everySteps: count(1_000_000).default(defaults.validateEverySteps),
    /** Evaluations without improvement after which training stops; null: it never stops early. */
    patience: count(1_000_000).nullable().default(null),
    /** Smallest fall of the loss that is an improvement. */
    leastImprovementNats: z.number().min(0).max(100).default(defaults.leastImprovementNats),
    /** Which state the adapter is made from: the lowest validation loss, or the last step. */
    keeps: z.enum(keepsChoices).default(defaults.keeps),
  })
  .refine(({ data, rows, share }) => [data, rows, share].filter((from) => from !== null).length === 1, "needs exactly one of data, rows and share")
  .nullable()
  .default(null);

/** The probe that rides along in training: what of the base's knowledge is still there. */
const retention = z
  .object({
    /** Questions with accepted answers; null: those of the probe, else those of the calibration. */
    questions: path.nullable().default(null),
    /** Example answers before each question: the file's first. */
    shots: z.int().min(0).max(64).default(defaults.retentionShots),
    /** Questions asked, chosen by the seed. */
    limit: count(10_000).default(defaults.retentionLimit),
    everySteps: count(1_000_000).default(defaults.retentionEverySteps),
    /** Share of the base's likelihood of right answers below which training stops; null: it never stops. */
    floor: z.number().gt(0).lt(1).nullable().default(null),
  })
  .nullable()
  .default(null);

const column = z.string().min(1, "is empty").max(1000);
const maybeColumn = column.optional();
/** Which columns mean what. */
export const columnMapping = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("pair"),
    prompt: column,
    completion: column,
    /** Added to the prompt after a line break, where it is not empty. */
    input: maybeColumn,
    system: maybeColumn,
    /** Earlier [question, answer] pairs. */
    history: maybeColumn,
  }),
  z.object({ kind: z.literal("conversation"), messages: column, system: maybeColumn, tools: maybeColumn }),
  z.object({ kind: z.literal("text"), text: column }),
]);

/** How the rows of a file are read. */
const reading = {
  /** Columns chosen by hand; null: detected, which must then be sure. */
  mapping: columnMapping.nullable().default(null),
  /** Split of a dataset folder; null: train. */
  split: z.enum(splits).nullable().default(null),
};

const learningRate = z.number().positive().max(10);

const memoryBytes = z.int().positive().nullable().default(null);

const training = {
  /** File or dataset folder. */
  data: path,
  ...reading,
  template: z.enum(templates).default("auto"),
  /** Exactly one of the two is set; with neither, one epoch. */
  steps: count(10_000_000).nullable().default(null),
  epochs: z.number().positive().max(10_000).nullable().default(null),
  batch: count(4096).default(defaults.batch),
  accumulate: count(4096).default(defaults.accumulate),
  /** Tokens a row may have. */
  length: z.int().min(8).max(131_072).default(defaults.length),
  /** What becomes of longer rows; they are counted in any case. */
  overLong: z.enum(overLongChoices).default(defaults.overLong),
  learningRate: learningRate.default(defaults.learningRate),
  warmupRatio: z.number().min(0).max(1).default(defaults.warmupRatio),
  clipNorm: z.number().positive().nullable().default(defaults.clipNorm),
  weightDecay: z.number().min(0).max(10).default(defaults.weightDecay),
  checkpointEverySteps: count(1_000_000).default(defaults.checkpointEverySteps),
  validation,
  retention,
  /** What is computed again to save memory; auto: as little as fits. */
  recomputed: z.enum(recomputedChoices).default(defaults.recomputed),
  /** Memory that calibration and training may take; null: what the machine has free. */
  memoryBytes,
};

const calibrationAlone = {
  model: path,
  samples: calibration.samples,
  length: calibration.calibrationLength,
  scaling: calibration.scaling,
  seed: seed.default(defaults.seed),
  /** Memory that calibration may take; null: what the machine has free. */
  memoryBytes,
  out: path,
};
export const calibrateParams = z.object({ ...calibrationAlone, questions: path });
/** The prompts of training rows. */
export const calibrateTaskParams = z.object({ ...calibrationAlone, data: path, ...reading, template: z.enum(templates).default("auto") });

export const initParams = z.object({
  model: path,
  grams: path.nullable().default(null),
  /** Of the training prompts, for methods that look at the task. */
  taskGrams: path.nullable().default(null),
  ...start,
  seed: seed.default(defaults.seed),
  out: path,
});

/** What a start looks like; one of the two Gram files at least. */
export const startReportParams = z.object({ model: path, init: path, grams: path.nullable().default(null), taskGrams: path.nullable().default(null) });

/** Training alone, from a start that `init` wrote. */
export const trainParams = z.object({
  name: z.string().max(200).nullable().default(null),
  model: path,
  init: path,
  ...training,
  seed: seed.default(defaults.seed),
  out: path,
  resume: z.boolean().default(false),
});

const row = z.int().min(0).max(1_000_000_000);

/** How questions are put and judged. */
const asking = {
  questions: path,
  /** Null: NQ-open where knowledge is asked, rows like the training rows where the task is. */
  task: z.enum(taskNames).nullable().default(null),
  /** Worked examples before each question; null: as many as the task has in the harness. */
  shots: z.int().min(0).max(64).nullable().default(null),
  /** File or data set folder that they come from; null: the folder's own split for them, else rows of `questions`, which are then not asked. */
  shotsFrom: path.nullable().default(null),
  /** Which rows they are: the first, some chosen by a seed, or these (from 0). */
  shotChoice: z
    .discriminatedUnion("by", [z.object({ by: z.literal("first") }), z.object({ by: z.literal("seed"), seed }), z.object({ by: z.literal("rows"), rows: z.array(row).min(1, "needs row numbers, such as 3, 7, 12").max(64) })])
    .default({ by: "first" }),
  /** Of the task "questions": the prompt's text, with {question} where the question stands; null: as NQ-open. */
  promptForm: z
    .object({ description: z.string().max(10_000).default(""), ask: z.string().max(10_000).refine((text) => text.includes("{question}"), "must have {question} where the question stands"), delimiter: z.string().max(100).default("\n\n") })
    .nullable()
    .default(null),
  /** "plain": the harness's text. "template": a message in the template that the model was trained with. */
  wording: z.enum(wordings).default("plain"),
  /** Of a task that another model judges: a model folder, or a model behind an OpenAI-compatible address. */
  judge: z
    .discriminatedUnion("kind", [
      z.object({ kind: z.literal("model"), folder: path, newTokens: count(65_536).default(defaults.judgeNewTokens) }),
      z.object({
        kind: z.literal("endpoint"),
        url: z.string().min(1, "is empty").max(2000),
        model: z.string().min(1, "is empty").max(500),
        /** Environment variable with the key; the key itself is never stored. */
        keyFrom: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "must be the name of an environment variable").nullable().default(null),
        newTokens: count(65_536).default(defaults.judgeNewTokens),
        timeoutMs: z.int().min(1000).max(3_600_000).default(defaults.judgeTimeoutMs),
        /** Requests a minute; null: no limit. */
        perMinute: count(100_000).nullable().default(null),
      }),
    ])
    .nullable()
    .default(null),
  /** Generated programs may be run, in a sandbox. */
  mayRunPrograms: z.boolean().default(false),
  /** Null: as the task has it. */
  maxNewTokens: count(65_536).nullable().default(null),
  limit: count(1_000_000).nullable().default(null),
  /** Ask the base too where another probe has its answers to the same; absent: they are taken from there. */
  fresh: z.boolean().optional(),
};

/** Questions asked of base and tuned model after training; null: not asked. */
const runProbe = z
  .object(asking)
  .refine(({ task, mayRunPrograms }) => mayRunPrograms || !task || !probeTaskInfo[task].runsPrograms, { path: ["mayRunPrograms"], message: "must be allowed: this task runs programs" })
  .refine(({ task, judge }) => judge !== null || !task || !probeTaskInfo[task].isJudged, { path: ["judge"], message: "is needed: this task is judged by a model" })
  .nullable()
  .default(null);

/** All stages: calibrate → init → train → probe. */
export const runParams = z.object({
  name: z.string().max(200).nullable().default(null),
  model: path,
  ...calibration,
  ...start,
  ...training,
  /** Default: by the method. */
  learningRate: learningRate.optional(),
  seed: seed.default(defaults.seed),
  /** World knowledge, short answers. */
  probe: runProbe,
  /** The task itself: rows like the training rows, final answers compared. */
  taskProbe: runProbe,
  /** Go on with the newest stopped run of the same settings, where there is one. */
  continueStopped: z.boolean().default(false),
}).transform((run) => ({ ...run, learningRate: run.learningRate ?? defaultLearningRates[run.method] }));

// ---- probe and ask ----

const widths = ["float32", "int8", "int4"] as const;

export const probeParams = z.object({
  model: path,
  /** What the weights are multiplied as: as they are, or rounded to integers. */
  width: z.enum(widths).default("float32"),
  adapter: path.nullable().default(null),
  ...asking,
  batch: count(1024).default(defaults.probeBatch),
  /** What the probe is for: what must be kept, or what is to be learnt. */
  style: z.enum(["knowledge", "task"]).default("knowledge"),
  /** Of the rows of a task. */
  ...reading,
  /** auto: what the adapter was trained with, else the model's own. */
  template: z.enum(templates).default("auto"),
  /** Keep the answers of the newest stopped probe of the same settings, where there is one. */
  continueStopped: z.boolean().default(false),
});

export const samplingParams = z.object({
  /** 0: greedy. */
  temperature: z.number().min(0).max(10).default(0),
  topP: z.number().positive().max(1).default(1),
  /** 0: no limit. */
  topK: z.int().min(0).default(0),
  minP: z.number().min(0).max(1).default(0),
  repetitionPenalty: z.number().positive().max(10).default(1),
  maxNewTokens: count(65_536).default(256),
  seed: seed.default(0),
  /** What the weights are multiplied as; auto: rounded to 8 bits where a measurement on this machine speaks for it. */
  width: z.enum(["auto", ...widths]).default("auto"),
});

/** What answers in one column. */
export const subject = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("base") }),
  /** A run's adapter, the last or the best of its checkpoints, or that of a step. */
  z.object({ kind: z.literal("run"), runId: id, at: z.union([z.enum(["adapter", "last", "best"]), z.int().min(1)]).default("adapter") }),
  /** A PEFT folder. */
  z.object({ kind: z.literal("adapter"), path }),
]);

export const mostColumns = 4;

/** What all turns of a conversation share. */
export const newChat = z.object({
  model: path,
  /** One column each, from left to right, all answered in one batch. */
  subjects: z.array(subject).min(1).max(mostColumns),
  /** auto: what the adapters were trained with, else the model's own. */
  template: z.enum(["auto", "chat", "alpaca", "none"]).default("auto"),
  /** Which of the two columns is which is told only after a vote. */
  isBlind: z.boolean().default(false),
});

const longText = z.string().max(1_000_000);

export const askParams = z.object({
  /** A conversation to go on with, or a new one. */
  chat: z.union([z.object({ id }), newChat]),
  /** Turn that the prompt follows; null: it begins the conversation. */
  after: id.nullable().default(null),
  prompt: longText.min(1, "is empty"),
  /** System prompt; empty: none. */
  system: longText.default(""),
  sampling: samplingParams.prefault({}),
});

export const verdicts = ["left", "right", "tie", "both-bad"] as const;
export const chatsParams = z.object({ search: z.string().max(1000).default(""), limit: count(10_000).default(500) }).prefault({});
export const renameParams = z.object({ id, title: z.string().trim().min(1, "is empty").max(200) });
export const exportParams = z.object({ id, format: z.enum(["markdown", "json"]).default("markdown") });
export const voteParams = z.object({ turnId: id, verdict: z.enum(verdicts) });
export const turnParams = z.object({ turnId: id });
export const runIdParams = z.object({ runId: id });
export const choicesParams = z.object({ model: path });
export const chatTemplateParams = newChat.pick({ model: true, subjects: true, template: true });

// ---- the rest ----

export const previewQuestionsParams = z.object({
  path,
  /** With a model, lengths in its tokens too. */
  model: path.nullable().default(null),
  offset: z.int().min(0).default(0),
  limit: z.int().min(0).max(500).default(50),
});

export const previewRowsParams = z.object({
  path,
  model: path,
  ...reading,
  template: z.enum(templates).default("auto"),
  length: training.length,
  overLong: training.overLong,
  offset: z.int().min(0).default(0),
  limit: z.int().min(0).max(100).default(10),
});

/** What decides about a training's memory. */
export const memoryParams = z.object({ model: path, ...start, ...training, seed: seed.default(defaults.seed) });

export const cacheKinds = ["grams", "starts", "start-reports", "rounded-weights", "other"] as const;
export const cacheParams = z.object({ kind: z.enum(cacheKinds).nullable().default(null) });
export const demoParams = z.object({ model: path });
export const dirParams = z.object({ dir: path });
export const pathParams = z.object({ path });
export const idParams = z.object({ id });
export const followRunParams = z.object({ id, afterStep: z.int().min(0).default(0) });
export const pointsParams = z.object({
  id,
  afterStep: z.int().min(0).default(0),
  limit: count(1_000_000).default(100_000),
  /** Thin the points evenly to about this many, for a small curve; null: every point. */
  most: count(1_000_000).nullable().default(null),
});
export const listParams = z.object({ limit: count(10_000).default(500) }).prefault({});
export const answerFilters = ["all", "lost", "gained", "kept", "wrong"] as const;
export const answerOrders = ["file", "fell", "rose"] as const;
const search = z.string().max(1000).default("");
const answerChoice = {
  id,
  only: z.enum(answerFilters).default("all"),
  /** Part of the question, the accepted answers or either answer. */
  search,
  /** By the change of the right answer's likelihood: the largest fall first, or the largest rise. */
  order: z.enum(answerOrders).default("file"),
};
export const answersParams = z.object({ ...answerChoice, offset: z.int().min(0).default(0), limit: count(10_000).default(1000) });
export const countAnswersParams = z.object({ id, search });
export const answerFormats = ["csv", "jsonl"] as const;
export const exportAnswersParams = z.object({ ...answerChoice, format: z.enum(answerFormats) });
export const filesParams = z.object({
  /** Null: the home folder. */
  dir: path.nullable().default(null),
});
export const settingsParams = z.object({ theme: z.enum(["system", "light", "dark"]).optional() });

export type CalibrateStart = z.output<typeof calibrateParams>;
export type CalibrateTaskStart = z.output<typeof calibrateTaskParams>;
export type StartReportStart = z.output<typeof startReportParams>;
export type InitStart = z.output<typeof initParams>;
export type TrainSettings = z.output<typeof trainParams>;
export type RunSettings = z.output<typeof runParams>;
export type MemorySettings = z.output<typeof memoryParams>;
export type ProbeStart = z.output<typeof probeParams>;
export type AskStart = z.output<typeof askParams>;
export type AnswersQuery = z.output<typeof answersParams>;
export type AnswersExport = z.output<typeof exportAnswersParams>;
export type NewChat = z.output<typeof newChat>;
export type Subject = z.output<typeof subject>;
export type Sampling = z.output<typeof samplingParams>;
export type PreviewQuestions = z.output<typeof previewQuestionsParams>;
export type PreviewRows = z.output<typeof previewRowsParams>;
export type ColumnMapping = z.output<typeof columnMapping>;
export type Split = (typeof splits)[number];
