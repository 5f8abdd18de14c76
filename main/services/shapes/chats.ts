// Conversations as services give them back.

import type { ErrorParts } from "../../../native-models/errors.ts";
import type { Verdict } from "../../db/turns.ts";
import type { Ballot, VoteCount } from "../../db/votes.ts";
import type { ProgressEvent } from "../../engine/events.ts";
import type { MeasuredWidth } from "../../engine/readers.ts";
import type { Sampling, Subject } from "../params/chats.ts";

export type { Ballot, Verdict };

/** A model that can be asked: the base, or a run's adapter or checkpoint. */
export interface SubjectView {
  subject: Subject;
  /** Short: "Base", "Run 3", "Run 3, step 20". */
  label: string;
  /** The run's name or the adapter's folder. */
  about: string;
}

export interface ChatSummary {
  id: number;
  title: string;
  modelPath: string;
  modelName: string;
  /** From left to right; in a blind conversation the order of each prompt is another. */
  subjects: SubjectView[];
  isBlind: boolean;
  turns: number;
  createdMs: number;
  updatedMs: number;
}

export interface ChatDetail extends Omit<ChatSummary, "turns"> {
  template: "chat" | "alpaca" | "none";
  /** All turns, oldest first; `parentId` makes them a tree. */
  turns: TurnView[];
}

export interface AnswerView {
  text: string;
  tokens: number;
  /** hand: it was stopped. */
  stopped: "eos" | "length" | "hand";
  /** Its tokens are known, so that their surprise can be worked out. */
  hasTokens: boolean;
}

export interface TurnView {
  id: number;
  parentId: number | null;
  prompt: string;
  system: string;
  sampling: Sampling;
  /** From left to right; empty when it was never answered. */
  answers: AnswerView[];
  /** Which of the conversation's subjects answers at each place; null while a blind turn waits for its vote. */
  places: number[] | null;
  verdict: Verdict | null;
  tokensPerSecond: number | null;
  createdMs: number;
}

export interface WeightsView {
  width: "float32" | "int8" | "int4";
  /** Of the width in use, or of the one that was not worth it; null where nothing was rounded. */
  measured: MeasuredWidth | null;
  /** The same in a sentence. */
  words: string;
}

export type AskEvent =
  /** Before the first token; `places` as in the turn. */
  | { type: "begun"; chatId: number; turn: TurnView }
  | { type: "progress"; progress: ProgressEvent }
  /** Text to append to the column at that place. */
  | { type: "token"; column: number; text: string }
  /** The column's answer is whole; others may go on. */
  | { type: "column-ended"; column: number; stopped: "eos" | "length" }
  | { type: "warning"; warning: ErrorParts }
  /** What the answers are computed with. */
  | { type: "weights"; weights: WeightsView }
  /** `prompt`: what the model at the first place saw; null in a blind conversation. */
  | { type: "done"; chatId: number; turn: TurnView; prompt: string | null };

/** −ln p of every token of every answer, by place, under each of the conversation's subjects: [subject][token]. */
export interface TurnSurprise {
  answers: { texts: string[]; nats: number[][] }[];
}

export type SurpriseEvent = { type: "progress"; progress: ProgressEvent } | { type: "done"; surprise: TurnSurprise };

/** How a conversation's prompts are written. */
export interface ChatTemplateView {
  template: "chat" | "alpaca" | "none";
  /** Jinja of the chat template, or the Alpaca prompt with its places; null where the prompt is taken as it is. */
  text: string | null;
  warning: ErrorParts | null;
}

/** Votes for one state of a run ("its adapter", "step 20") against one rival ("the base", "run 2"). */
export interface VoteTally extends VoteCount {
  /** Share of the votes with a winner that the run won, with its 95 % Wilson interval; null without any. */
  share: { value: number; low: number; high: number } | null;
  /** Two-sided sign test of won against lost; null without any. */
  p: number | null;
}
