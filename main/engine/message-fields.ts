// Schemas that jobs and events have in common.

import { z } from "zod";
import type { ErrorParts } from "../../native-models/errors.ts";
import { recomputedLevels } from "../../native-models/training/memory-terms.ts";
import type { ProbeAnswer } from "./events.ts";
import type { RetentionBase } from "./train-jobs.ts";

export const text = z.string();
// A loss may be NaN or infinite: that is a thing to report, not a broken message.
export const real = z.custom<number>((value) => typeof value === "number");
export const whole = z.int();

export const parts = z.object({ what: text, where: text, fix: text }) satisfies z.ZodType<ErrorParts>;

export const roundedWidth = z.enum(["int8", "int4"]);

export const retentionBase = z.object({ by: z.enum(["forward", "gradients"]), likelihoods: z.array(z.object({ nats: real, isGreedy: z.boolean().nullable() })) }) satisfies z.ZodType<RetentionBase>;

export const recomputed = z.enum(recomputedLevels);
export const measures = z.record(text, real);

export const probeAnswer = z.object({
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
