// How the rows of a file are read, and what looks at data files take.

import { z } from "zod";
import { defaults, overLongChoices, splits, templates } from "./defaults.ts";
import { path } from "./fields.ts";

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
export const reading = {
  /** Columns chosen by hand; null: detected, which must then be sure. */
  mapping: columnMapping.nullable().default(null),
  /** Split of a dataset folder; null: train. */
  split: z.enum(splits).nullable().default(null),
};

/** How long a row may be. */
export const fitting = {
  /** Tokens a row may have. */
  length: z.int().min(8).max(131_072).default(defaults.length),
  /** What becomes of longer rows; they are counted in any case. */
  overLong: z.enum(overLongChoices).default(defaults.overLong),
};

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
  ...fitting,
  offset: z.int().min(0).default(0),
  limit: z.int().min(0).max(100).default(10),
});

export type PreviewQuestions = z.output<typeof previewQuestionsParams>;
export type PreviewRows = z.output<typeof previewRowsParams>;
export type ColumnMapping = z.output<typeof columnMapping>;
