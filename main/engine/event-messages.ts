// Schemas of what an engine process sends up, held to the types of events.ts and job-results.ts by `satisfies`.

import { z } from "zod";
import type { MemoryPlan } from "../../native-models/training/memory-plan.ts";
import { memoryTerms } from "../../native-models/training/memory-terms.ts";
import type { JobEvent, ProgressEvent, RetentionPoint, RunHistory, TrainPoint, ValidationPoint } from "./events.ts";
import type { JobResult } from "./job-results.ts";
import { measures, parts, probeAnswer, real, recomputed, retentionBase, roundedWidth, text, whole } from "./message-fields.ts";
import { counted, rowsAccount, rowsHead, rowsReport } from "./row-messages.ts";

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

const runHistory = z.object({
  points: z.array(point),
  validations: z.array(validationPoint),
  retentions: z.array(retentionPoint),
  warnings: z.array(parts),
}) satisfies z.ZodType<RunHistory>;

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
  z.object({ type: z.literal("resumed"), step: whole, path: text, history: runHistory.nullable() }),
  z.object({ type: z.literal("column-ended"), column: whole, stopped: z.enum(["eos", "length"]) }),
  z.object({ type: z.literal("token"), column: whole, id: whole, text }),
  probeAnswer.extend({ type: z.literal("answer"), isKnown: z.boolean() }),
  z.object({ type: z.literal("warning"), warning: parts }),
  z.object({ type: z.literal("done"), result: jobResult }),
  z.object({ type: z.literal("failed"), error: parts.extend({ isBug: z.boolean(), stack: text.nullable() }) }),
  z.object({ type: z.literal("cancelled") }),
]) satisfies z.ZodType<JobEvent>;
