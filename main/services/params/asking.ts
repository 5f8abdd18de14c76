// How the questions of a probe are put and judged, within a run or alone.

import { z } from "zod";
import { probeTaskInfo } from "../probe-tasks.ts";
import { defaults, taskNames, wordings } from "./defaults.ts";
import { count, path, seed } from "./fields.ts";

const row = z.int().min(0).max(1_000_000_000);

/** How questions are put and judged. */
export const asking = {
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
export const runProbe = z
  .object(asking)
  .refine(({ task, mayRunPrograms }) => mayRunPrograms || !task || !probeTaskInfo[task].runsPrograms, { path: ["mayRunPrograms"], message: "must be allowed: this task runs programs" })
  .refine(({ task, judge }) => judge !== null || !task || !probeTaskInfo[task].isJudged, { path: ["judge"], message: "is needed: this task is judged by a model" })
  .nullable()
  .default(null);
