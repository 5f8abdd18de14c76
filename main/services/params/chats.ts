// What conversations take: who answers, how tokens are sampled, and votes on blind turns.

import { z } from "zod";
import { count, id, path, seed } from "./fields.ts";
import { widths } from "./probes.ts";
import { runSubject } from "./runs.ts";

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
  runSubject,
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
export const choicesParams = z.object({ model: path });
export const chatTemplateParams = newChat.pick({ model: true, subjects: true, template: true });

export type AskStart = z.output<typeof askParams>;
export type NewChat = z.output<typeof newChat>;
export type Subject = z.output<typeof subject>;
export type Sampling = z.output<typeof samplingParams>;
