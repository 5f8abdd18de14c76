// What a probe takes, and looks at its answers.

import { z } from "zod";
import { asking } from "./asking.ts";
import { reading } from "./data.ts";
import { defaults, templates } from "./defaults.ts";
import { count, id, path } from "./fields.ts";
import { runSubject } from "./runs.ts";

export const widths = ["float32", "int8", "int4"] as const;

export const probeParams = z.object({
  model: path,
  /** What the weights are multiplied as: as they are, or rounded to integers. */
  width: z.enum(widths).default("float32"),
  adapter: path.nullable().default(null),
  /** In place of an adapter: a run of that model, or one of its checkpoints. */
  run: runSubject.optional(),
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

export type ProbeStart = z.output<typeof probeParams>;
export type AnswersQuery = z.output<typeof answersParams>;
export type AnswersExport = z.output<typeof exportAnswersParams>;
