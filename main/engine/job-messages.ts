// Schemas of the jobs that go down to an engine process, held to the types of jobs.ts by `satisfies`.

import { z } from "zod";
import type { JobSpec } from "./jobs.ts";
import { probeAnswer, real, recomputed, retentionBase, roundedWidth, text, whole } from "./message-fields.ts";
import { integers, mapping, promptSettings, rowSettings, split } from "./row-messages.ts";
import type { RetentionSettings, ValidationSettings } from "./train-jobs.ts";

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
