// Training rows: what every data format becomes before a template and a tokenizer see it.

import type { ErrorParts } from "../../errors.ts";
import type { ChatMessage } from "../../checkpoint/types.ts";
import type { Split } from "../records/folder.ts";

/** One turn. Role "text" is a plain text that no template wraps; it stands alone in its row. */
export interface TrainingTurn {
  role: ChatMessage["role"] | "text";
  content: string;
  /** The loss is taken on this turn. */
  isTrained: boolean;
}

export interface TrainingRow {
  turns: TrainingTurn[];
}

export type FormatName =
  | "alpaca"
  | "sharegpt"
  | "messages"
  | "prompt/completion"
  | "query/response"
  | "question/answer"
  | "text"
  | "by hand";

/** Which columns mean what. Detection makes one; a user may give another. */
export type ColumnMapping =
  | {
      kind: "pair";
      prompt: string;
      completion: string;
      /** Column added to the prompt after a line break, where it is not empty. */
      input?: string;
      system?: string;
      /** Column of earlier [question, answer] pairs. */
      history?: string;
    }
  | { kind: "conversation"; messages: string; system?: string; tools?: string }
  | { kind: "text"; text: string };

export interface RowFormat {
  name: FormatName;
  mapping: ColumnMapping;
  /** False: the columns are a guess that the user should confirm. */
  isSure: boolean;
}

export interface RowSource {
  path: string;
  split: Split | null;
  count: number;
  /** Only the beginning was opened: more rows follow than `count`. */
  isCut: boolean;
  format: RowFormat;
  /** Column names of the file, or the keys seen in its first rows. */
  columns: readonly string[];
  /** What a user should know before training, for example that the columns were guessed. */
  warnings: readonly ErrorParts[];
  row(index: number): Promise<TrainingRow>;
  /** Rows from `first` on, as a stream. */
  rows(first?: number): AsyncIterable<{ index: number; place: string; row: TrainingRow }>;
  close(): Promise<void>;
}
