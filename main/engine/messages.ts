// What crosses the process border: jobs and cancels down, events up. Each side checks what it gets, once, here.
// The schemas are held to the types in jobs.ts and events.ts by `satisfies`.

import { z } from "zod";
import { memoryTerms, recomputedLevels } from "../../native-models/training/memory-terms.ts";
import type { MemoryPlan } from "../../native-models/training/memory-plan.ts";
import type { JobEvent, ProbeAnswer, ProgressEvent, RetentionPoint, TrainPoint, ValidationPoint } from "./events.ts";
import type { JobResult, JobSpec, RetentionBase, RetentionSettings, ValidationSettings } from "./jobs.ts";
import type { ErrorParts } from "../../native-models/errors.ts";
import { counted, integers, mapping, promptSettings, rowsAccount, rowsHead, rowSettings, rowsReport, split } from "./row-messages.ts";

const text = z.string();
// A loss may be NaN or infinite: that is a thing to report, not a broken message.
const real = z.custom<number>((value) => typeof value === "number");
const whole = z.int();

const parts = z.object({ what: text, where: text, fix: text }) satisfies z.ZodType<ErrorParts>;

const method = z.enum(["lora-null-v1", "lora-null-v2", "lora", "pissa", "milora", "corda-knowledge", "corda-task", "olora", "eva", "task-null"]);

const sampling = z.object({
  temperature: z.number(),
  topP: z.number(),
  topK: whole,
  minP: z.number(),
  repetitionPenalty: z.number(),
  maxNewTokens: whole,
  seed: whole,
});

const roundedWidth = z.enum(["int8", "int4"]);
const weightSettings = z.object({ width: z.enum(["float32", "int8", "int4"]), cache: text, samples: text });
const askColumn = z.object({
  adapter: text.nullable(),
  messages: z.array(z.object({ role: z.enum(["system", "user", "assistant"]), content: text })),
});
const askTemplate = { template: z.enum(["chat", "alpaca", "none"]), chatTemplate: text.nullish() };

const validationSettings = z.object({
  from: z.union([z.object({ file: text }), z.object({ rows: whole }), z.object({ share: z.number() })]),
  everySteps: whole,
  patience: whole.nullable(),
  leastImprovementNats: z.number(),
  keeps: z.enum(["best", "last"]),
}) satisfies z.ZodType<ValidationSettings>;

const retentionSettings = z.object({ questions: text, shots: whole, limit: whole, everySteps: whole, floor: z.number().nullable() }) satisfies z.ZodType<RetentionSettings>;

const retentionBase = z.object({ by: z.enum(["forward", "gradients"]), likelihoods: z.array(z.object({ nats: real, isGreedy: z.boolean().nullable() })) }) satisfies z.ZodType<RetentionBase>;

const recomputed = z.enum(recomputedLevels);
const measures = z.record(text, real);

const probeAnswer = z.object({
  index: whole,
  subject: z.enum(["base", "tuned"]),
  question: text,
  accepted: z.array(text),
  prompt: text,
  answer: text,
  isExact: z.boolean(),
  isContained: z.boolean(),
  logLikelihoodNats: real,
  measures,
  verdict: text.nullable(),
}) satisfies z.ZodType<ProbeAnswer>;

/** How a probe asks. */
const probeSettings = {
  task: z.enum(["nq_open", "triviaqa", "webqs", "questions", "gsm8k", "math", "humaneval", "mbpp", "mt_bench"]).nullish(),
  shots: whole,
  shotsFrom: text.nullable().optional(),
  shotChoice: z.discriminatedUnion("by", [z.object({ by: z.literal("first") }), z.object({ by: z.literal("seed"), seed: whole }), z.object({ by: z.literal("rows"), rows: z.array(whole) })]).optional(),
  promptForm: z.object({ description: text, ask: text, delimiter: text }).nullish(),
  wording: z.enum(["plain", "template"]).optional(),
  mayRunPrograms: z.boolean().optional(),
  judge: z
    .discriminatedUnion("kind", [
      z.object({ kind: z.literal("model"), folder: text, newTokens: whole, batch: whole }),
      z.object({ kind: z.literal("endpoint"), url: text, model: text, keyFrom: text.nullable(), newTokens: whole, timeoutMs: real, perMinute: real.nullable() }),
    ])
    .nullish(),
  answered: z.array(probeAnswer).optional(),
  known: z.array(probeAnswer).optional(),
};
/** What decides about a training's memory, beside its rows. */
const memorySettings = {
  validation: validationSettings.nullable(),
  retention: retentionSettings.nullable(),
  recomputed: z.union([recomputed, z.literal("auto")]),
  memoryBytes: z.number().nullable(),
};

export const jobSpec = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("calibrate"), model: text, questions: text, samples: whole, length: whole, seed: whole, scaling: z.enum(["raw", "official"]), memoryBytes: z.number().nullable(), out: text }),
  z.object({
    kind: z.literal("calibrate-task"), model: text, data: text, mapping: mapping.nullable(), split: split.nullable(), ...promptSettings,
    samples: whole, length: whole, seed: whole, scaling: z.enum(["raw", "official"]), memoryBytes: z.number().nullable(), out: text,
  }),
  z.object({
    kind: z.literal("init"),
    model: text,
    grams: text.nullable(),
    taskGrams: text.nullable(),
    method,
    rank: whole,
    seed: whole,
    out: text,
  }),
  z.object({ kind: z.literal("start-report"), model: text, start: text, grams: text.nullable(), taskGrams: text.nullable(), out: text }),
  z.object({
    kind: z.literal("train"),
    model: text,
    init: text,
    ...rowSettings,
    steps: whole.nullable(),
    epochs: z.number().nullable(),
    batch: whole,
    accumulate: whole,
    learningRate: z.number(),
    warmupRatio: z.number(),
    clipNorm: z.number().nullable(),
    weightDecay: z.number(),
    checkpointEverySteps: whole,
    ...memorySettings,
    knownBases: z.array(retentionBase).optional(),
    seed: whole,
    out: text,
    resume: z.boolean(),
  }),
  z.object({
    kind: z.literal("estimate"),
    model: text,
    rank: whole,
    method,
    lengths: integers,
    trained: integers,
    shared: z.number().int().min(0),
    steps: whole.nullable(),
    epochs: z.number().nullable(),
    batch: whole,
    accumulate: whole,
    length: whole,
    ...memorySettings,
    seed: whole,
  }),
  z.object({ kind: z.literal("count-rows"), model: text, ...rowSettings, offset: whole, limit: whole, isCountWanted: z.boolean() }),
  z.object({
    kind: z.literal("probe"),
    model: text,
    adapter: text.nullable(),
    questions: text,
    ...probeSettings,
    limit: whole.nullable(),
    batch: whole,
    maxNewTokens: whole.nullable(),
    style: z.enum(["knowledge", "task"]),
    ...promptSettings,
    mapping: mapping.nullish(),
    split: split.nullish(),
    weights: weightSettings.optional(),
  }),
  z.object({ kind: z.literal("ask"), model: text, columns: z.array(askColumn), ...askTemplate, weights: weightSettings.optional(), sampling }),
  z.object({ kind: z.literal("surprise"), model: text, columns: z.array(askColumn.extend({ ids: z.array(whole) })), ...askTemplate, weights: weightSettings.optional() }),
  z.object({ kind: z.literal("measure-width"), model: text, width: roundedWidth, cache: text, samples: text, questions: text }),
  z.object({ kind: z.literal("sample-model"), out: text }),
]) satisfies z.ZodType<JobSpec>;

const memoryPlan = z.object({
  totalBytes: real,
  terms: z.record(z.enum(memoryTerms), real),
  microBatch: z.object({ rows: whole, longest: whole, tokens: whole, trained: whole }),
  recomputed,
  validatesBy: z.enum(["forward", "gradients"]).nullable(),
  availableBytes: real,
  fits: z.boolean(),
  proposals: z.array(z.object({ batch: whole, accumulate: whole, length: whole, totalBytes: real })),
}) satisfies z.ZodType<MemoryPlan>;

const evaluated = z.object({ step: whole, lossNats: real });

const score = z.object({ questions: whole, exactMatch: real, contains: real, logLikelihoodNats: real.nullable(), measures: measures.optional() });

const jobResult = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("calibrate"), out: text, tokens: whole, elapsedMs: real }),
  z.object({ kind: z.literal("calibrate-task"), out: text, tokens: whole, elapsedMs: real }),
  z.object({ kind: z.literal("start-report"), out: text, elapsedMs: real }),
  z.object({ kind: z.literal("init"), out: text, modules: whole, parameters: whole, energyShare: real.nullable(), energyExcess: real.nullable(), solver: text.nullable(), elapsedMs: real }),
  z.object({
    kind: z.literal("train"),
    out: text,
    adapter: text,
    steps: whole,
    firstLossNats: real,
    lastLossNats: real,
    trainedTokens: whole,
    tokensPerSecond: real,
    rows: z.object({ kept: whole, dropped: whole, tooLong: whole, empty: whole }),
    validation: z.object({ rows: whole, best: evaluated, last: evaluated, adapterStep: whole, hasStoppedEarly: z.boolean() }).nullable(),
    retention: z.object({ questions: whole, last: z.object({ step: whole, retention: real }), adapterStep: whole, floor: z.number().nullable(), hasFallenBelow: z.boolean() }).nullable(),
    memory: z.object({ estimate: memoryPlan, measuredBytes: real }),
    elapsedMs: real,
  }),
  z.object({ kind: z.literal("estimate"), memory: memoryPlan, retentionTokens: whole.nullable() }),
  z.object({ kind: z.literal("count-rows"), counted: counted.nullable() }),
  z.object({
    kind: z.literal("probe"),
    base: score,
    tuned: score.nullable(),
    lost: whole,
    gained: whole,
    questionsPerSecond: real,
    elapsedMs: real,
  }),
  z.object({
    kind: z.literal("ask"),
    prompt: text,
    answers: z.array(z.object({ text, ids: z.array(whole), stopped: z.enum(["eos", "length"]) })),
    tokensPerSecond: real,
    elapsedMs: real,
  }),
  z.object({
    kind: z.literal("measure-width"),
    measured: z.object({ width: roundedWidth, questions: whole, tokens: whole, lossNats: real, float32LossNats: real, tokensPerSecond: real, float32TokensPerSecond: real, textTokens: whole }),
    elapsedMs: real,
  }),
  z.object({ kind: z.literal("surprise"), answers: z.array(z.object({ texts: z.array(text), nats: z.array(z.array(real)) })), elapsedMs: real }),
  z.object({ kind: z.literal("sample-model"), folder: text, source: z.enum(["present", "hub", "pip"]), elapsedMs: real }),
]) satisfies z.ZodType<JobResult>;

const progress = z.object({
  type: z.literal("progress"),
  stage: text,
  done: real,
  total: real,
  unit: text,
  ratePerSecond: real.nullable(),
  leftMs: real.nullable(),
  note: text.optional(),
}) satisfies z.ZodType<ProgressEvent>;

const point = z.object({
  step: whole,
  lossNats: real,
  learningRate: real,
  gradNorm: real,
  tokens: whole,
  tokensPerSecond: real,
  elapsedMs: real,
}) satisfies z.ZodType<TrainPoint>;

const validationPoint = z.object({
  step: whole,
  lossNats: real,
  trainedTokens: whole,
  isBest: z.boolean(),
  elapsedMs: real,
}) satisfies z.ZodType<ValidationPoint>;

const retentionPoint = z.object({
  step: whole,
  retention: real,
  low: real,
  high: real,
  baseNats: real,
  nats: real,
  exact: z.object({ base: whole, now: whole }).nullable(),
  questions: whole,
  isAbove: z.boolean(),
  elapsedMs: real,
}) satisfies z.ZodType<RetentionPoint>;

export const jobEvent = z.discriminatedUnion("type", [
  progress,
  z.object({ type: z.literal("point"), point }),
  z.object({ type: z.literal("validation"), point: validationPoint }),
  z.object({ type: z.literal("retention"), point: retentionPoint }),
  z.object({ type: z.literal("retention-base"), base: retentionBase, isKnown: z.boolean() }),
  z.object({ type: z.literal("memory"), estimate: memoryPlan, measuredBytes: real.nullable() }),
  z.object({ type: z.literal("rows"), rows: rowsReport }),
  z.object({ type: z.literal("rows-head"), head: rowsHead }),
  z.object({ type: z.literal("rows-account"), account: rowsAccount }),
  z.object({ type: z.literal("checkpoint"), step: whole, path: text }),
  z.object({ type: z.literal("resumed"), step: whole, path: text }),
  z.object({ type: z.literal("column-ended"), column: whole, stopped: z.enum(["eos", "length"]) }),
  z.object({ type: z.literal("token"), column: whole, id: whole, text }),
  probeAnswer.extend({ type: z.literal("answer"), isKnown: z.boolean() }),
  z.object({ type: z.literal("warning"), warning: parts }),
  z.object({ type: z.literal("done"), result: jobResult }),
  z.object({ type: z.literal("failed"), error: parts.extend({ isBug: z.boolean(), stack: text.nullable() }) }),
  z.object({ type: z.literal("cancelled") }),
]) satisfies z.ZodType<JobEvent>;

/** To the engine process. */
export const downMessage = z.discriminatedUnion("type", [
  z.object({ type: z.literal("start"), jobId: whole, spec: jobSpec }),
  z.object({ type: z.literal("cancel"), jobId: whole }),
]);
export type DownMessage = z.output<typeof downMessage>;

/** From the engine process. */
export const upMessage = z.object({ jobId: whole, event: jobEvent });
export type UpMessage = z.output<typeof upMessage>;
