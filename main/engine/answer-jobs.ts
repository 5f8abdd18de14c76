// Jobs in which a model answers or reads answers: probes, conversations, and what rounded weights cost.

import type { Split } from "../../native-models/data/records/folder.ts";
import type { ColumnMapping } from "../../native-models/data/rows/types.ts";
import type { EndpointSettings } from "../../native-models/probe/chat-endpoint.ts";
import type { ShotChoice } from "../../native-models/probe/read-task.ts";
import type { TaskName, Wording } from "../../native-models/probe/task.ts";
import type { PromptForm } from "../../native-models/probe/tasks/short-answers.ts";
import type { MeasuredWidth } from "../../native-models/quantised/measured.ts";
import type { Width } from "../../native-models/quantised/places.ts";
import type { ProbeAnswer } from "./events.ts";
import type { PromptSettings } from "./train-jobs.ts";

/** Who rates the answers of an instruction-following probe. */
export type JudgeSettings =
  | { kind: "model"; folder: string; newTokens: number; batch: number }
  /** keyFrom: environment variable that holds the key. */
  | ({ kind: "endpoint" } & EndpointSettings);

/** What weights are multiplied with: as they are, or rounded to integers, which lie in `cache`. */
export interface WeightSettings {
  width: Width;
  cache: string;
  /** Folder of the app's samples: text that 4-bit weights are rounded by. */
  samples: string;
}

export interface ProbeJob extends PromptSettings {
  kind: "probe";
  model: string;
  /** PEFT folder; null probes the base alone. With one, base and tuned are answered together. */
  adapter: string | null;
  questions: string;
  /** How questions are asked and judged; null: NQ-open where knowledge is asked, else rows like the training rows, in the
   *  run's template, final answers compared. */
  task?: TaskName | null;
  shots: number;
  /** File or folder of the shots; null: the folder's own split for them, else rows of `questions`, which are then not asked. */
  shotsFrom?: string | null;
  /** Which of its rows they are; absent: the first ones. */
  shotChoice?: ShotChoice;
  /** Of the task "questions": the prompt's text; absent: as NQ-open. */
  promptForm?: PromptForm | null;
  /** "plain", the harness's text, where absent. */
  wording?: Wording;
  /** The user lets generated programs run in the sandbox. */
  mayRunPrograms?: boolean;
  /** Of a task that another model judges. */
  judge?: JudgeSettings | null;
  /** Answers of an earlier try, which are not asked again. */
  answered?: ProbeAnswer[];
  /** The base's answers of another probe: they are taken where row, prompt and accepted answers are the same. */
  known?: ProbeAnswer[];
  /** The weights as they are, where absent. */
  weights?: WeightSettings;
  limit: number | null;
  batch: number;
  /** Null: as the task has it. */
  maxNewTokens: number | null;
  /** What the probe is for: what must be kept, or what is to be learnt. */
  style: "knowledge" | "task";
  /** Columns of the training set that a task's rows go with, chosen by hand. */
  mapping?: ColumnMapping | null;
  /** Split of a dataset folder. */
  split?: Split | null;
}

export interface SamplingSettings {
  /** 0: greedy. */
  temperature: number;
  topP: number;
  topK: number;
  minP: number;
  repetitionPenalty: number;
  maxNewTokens: number;
  seed: number;
}

export interface AskColumn {
  /** PEFT folder, or a checkpoint file of a run; null: the base. */
  adapter: string | null;
  messages: { role: "system" | "user" | "assistant"; content: string }[];
}

/** Conversations side by side, each with a model of its own. */
export interface Columns<C = AskColumn> {
  columns: C[];
  /** "none": the last user message is continued as plain text. */
  template: "chat" | "alpaca" | "none";
  /** Jinja to use in place of the model's own chat template; default: the model's own. */
  chatTemplate?: string | null;
}

/** Every column's conversation goes on, all in one batch. */
export interface AskJob extends Columns {
  kind: "ask";
  model: string;
  /** The weights as they are, where absent. */
  weights?: WeightSettings;
  sampling: SamplingSettings;
}

/** How likely each column's answer, the tokens `ids`, is under every column's model. */
export interface SurpriseJob extends Columns<AskColumn & { ids: number[] }> {
  kind: "surprise";
  model: string;
  /** The weights as they are, where absent. */
  weights?: WeightSettings;
}

/** Rounds a model's weights, if that is not done yet, and measures what that costs and gains. */
export interface MeasureWidthJob {
  kind: "measure-width";
  model: string;
  width: MeasuredWidth["width"];
  /** Where rounded weights are kept. */
  cache: string;
  /** Folder of the app's samples: text that 4-bit weights are rounded by. */
  samples: string;
  /** The probe set. */
  questions: string;
}
