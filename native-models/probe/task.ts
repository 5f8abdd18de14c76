// What every probe task is: how a row of its data becomes a question, how it is asked, and how an answer is judged.
// In: records of the data set's own columns. Out: questions for main/engine/jobs/probe-items.ts, which asks them.
// A task is a file in tasks/, and a row of tasks.ts.

import type { Split } from "../data/records/folder.ts";
import type { TaskRecord } from "../data/columns.ts";

export type TaskName = "nq_open" | "triviaqa" | "webqs" | "questions" | "gsm8k" | "math" | "humaneval" | "mbpp" | "mt_bench";

/** How a question is put: the harness's text, or a message in the template that the model was trained with. */
export type Wording = "plain" | "template";

/** What an answer is worth. */
export interface Judged {
  isExact: boolean;
  /** An accepted answer stands somewhere in the text: looser, never shown as exact match. */
  isContained: boolean;
  /** Further measures by name, such as strict: 0 and flexible: 1. */
  measures?: Record<string, number>;
  /** What the judge said: a program's last line, a model's verdict. */
  verdict?: string | null;
}

/** How an answer is got and judged. */
export type Judge =
  /** The model writes; the text is judged, cut at the task's stops. */
  | { kind: "text"; judge(cut: string, raw: string): Judged }
  /** Nothing is written: right if one of these is, token for token, what the model would write. */
  | { kind: "greedy"; continuations: readonly string[] }
  /** The model writes; the program made of it is run in the sandbox and is right if it ends by itself. `plain` is as the
   *  harness asks: the answer goes on from the prompt; else it is a chat answer with the program in a code block. */
  | { kind: "program"; program(cut: string, wording: Wording): string }
  /** The model answers these turns one after another; another model judges them. */
  | { kind: "turns"; turns: readonly string[]; references: readonly string[]; category: string | null };

export interface TaskQuestion {
  /** As lists show it. */
  question: string;
  /** As lists show what is right. */
  accepted: string[];
  /** The text that the model continues. */
  prompt: string;
  /** The same as a message, for chat and Alpaca templates. */
  message: string;
  /** What follows the prompt where the question is a worked example, its delimiter included. */
  example: string;
  /** The right continuation whose log-likelihood is taken; null where there is none. */
  target: string | null;
  judge: Judge;
}

export interface ProbeTask {
  name: TaskName;
  /** Before the first example. */
  description: string;
  /** Between examples, and between the last one and the question. */
  delimiter: string;
  /** Examples before each question where nothing else is said. */
  shots: number;
  /** Most new tokens where nothing else is said; 0 where nothing is written. */
  newTokens: number;
  /** The answer ends before the first of them. */
  stops: readonly string[];
  /** Splits of a data set folder that are asked, and that examples come from, best first. */
  asks: readonly Split[];
  shows: readonly Split[];
  /** Answers are programs, which are run. */
  runsPrograms?: true;
  question(record: TaskRecord): TaskQuestion;
}

/** The answer as the harness cuts it: split at each stop in turn. */
export function cutAtStops(text: string, stops: readonly string[]): string {
  let cut = text;
  for (const stop of stops) cut = cut.split(stop)[0]!;
  return cut;
}

/** Text before every question: the description and the worked examples. The same for all, so it is computed once. */
export function examplesText({ description, delimiter }: Pick<ProbeTask, "description" | "delimiter">, examples: readonly TaskQuestion[]): string {
  return description + examples.map(({ prompt, example }) => prompt + example + delimiter).join("");
}
