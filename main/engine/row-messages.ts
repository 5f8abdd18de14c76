// Schemas of what crosses the process border about training rows; messages.ts puts them together with the rest.

import { z } from "zod";
import { overLongChoices, type Fate } from "../../native-models/data/fit.ts";
import type { Split } from "../../native-models/data/records/folder.ts";
import type { RowsAccount } from "../../native-models/data/row-tally.ts";
import type { ColumnMapping, FormatName, RowFormat } from "../../native-models/data/rows/types.ts";
import type { RowsHead, RowsReport } from "./job-results.ts";
import type { RowSettings } from "./train-jobs.ts";

const text = z.string();
const whole = z.int();
const template = z.enum(["chat", "alpaca"]);
const parts = z.object({ what: text, where: text, fix: text });

export const split = z.enum(["train", "validation", "test"]) satisfies z.ZodType<Split>;

export const mapping = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("pair"), prompt: text, completion: text, input: text.optional(), system: text.optional(), history: text.optional() }),
  z.object({ kind: z.literal("conversation"), messages: text, system: text.optional(), tools: text.optional() }),
  z.object({ kind: z.literal("text"), text }),
]) satisfies z.ZodType<ColumnMapping>;

export const promptSettings = { template, chatTemplate: text.nullish() };

const overLong = z.enum(overLongChoices);
const rowFields = { data: text, mapping: mapping.nullish(), split: split.nullish(), length: whole, overLong: overLong.optional(), ...promptSettings };
z.object(rowFields) satisfies z.ZodType<RowSettings>;
export const rowSettings = rowFields;

export const integers = z.custom<Int32Array>((value) => value instanceof Int32Array);

const reason = z.object({ reason: text, count: whole, exampleRow: whole });
const accountFields = {
  counts: z.object({ total: whole, kept: whole, cut: whole, tooLong: whole, empty: whole, reasons: z.array(reason) }),
  tokens: whole,
  trainedTokens: whole,
  histogram: z.object({ binTokens: whole, counts: z.array(whole), longestTokens: whole }),
  length: whole,
  overLong,
};
export const rowsAccount = z.object(accountFields) satisfies z.ZodType<RowsAccount>;

const formatNames = ["alpaca", "sharegpt", "messages", "prompt/completion", "query/response", "question/answer", "text", "by hand"] as const satisfies readonly FormatName[];
const format = z.object({ name: z.enum(formatNames), mapping, isSure: z.boolean() }) satisfies z.ZodType<RowFormat>;

export const rowsReport = z.object({ ...accountFields, format, split: split.nullable() }) satisfies z.ZodType<RowsReport>;

const fates = ["kept", "cut", "too-long", "empty"] as const satisfies readonly Fate[];

export const rowsHead = z.object({
  path: text,
  split: split.nullable(),
  splits: z.array(split),
  columns: z.array(z.object({ name: text, sample: text })),
  format: format.nullable(),
  problem: parts.nullable(),
  template: z.object({ name: template, text, example: text.nullable() }),
  rows: z.array(
    z.object({
      index: whole,
      chips: z.array(z.object({ text, isTrained: z.boolean(), isSpecial: z.boolean(), isCut: z.boolean() })),
      tokens: whole,
      trainedTokens: whole,
      fate: z.enum(fates),
    }),
  ),
}) satisfies z.ZodType<RowsHead>;

export const counted = z.object({ account: rowsAccount, refusal: parts.nullable(), lengths: integers, trained: integers, shared: z.number().int().min(0) });
