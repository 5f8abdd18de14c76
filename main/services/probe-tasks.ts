// The probe tasks as people choose them: names, what they measure, what they need. Data alone, so that the window has it
// too; prompts and judges are in native-models/probe, and a test holds the two together.

import type { TaskName } from "../../native-models/probe/task.ts";

export interface ProbeTaskInfo {
  title: string;
  /** How it is asked and scored, and what data it reads. */
  about: string;
  /** Name of the exact match. */
  exactName: string;
  /** Worked examples and new tokens where nothing else is said, as the harness has them. */
  shots: number;
  newTokens: number;
  /** Generated programs are run: the user must allow it. */
  runsPrograms?: true;
  /** Another model judges. */
  isJudged?: true;
  /** "Contains" says nothing of this task's answers. */
  isContainsIdle?: true;
  /** Further measures by name. */
  measures?: Record<string, { title: string; unit: "share" | "rating" }>;
}

export const probeTaskInfo: Record<TaskName, ProbeTaskInfo> = {
  nq_open: { title: "NQ-open", about: "Short answers, articles and case ignored. Rows: question, answer (a list).", exactName: "exact match", shots: 0, newTokens: 32 },
  triviaqa: { title: "TriviaQA", about: "Short answers, case ignored, all aliases accepted. Rows: question, answer.aliases.", exactName: "exact match", shots: 0, newTokens: 32 },
  webqs: { title: "WebQuestions", about: "Right if an accepted answer is the greedy continuation; nothing is written. Rows: question, answers.", exactName: "greedy match", shots: 0, newTokens: 0, isContainsIdle: true },
  questions: { title: "Own questions", about: "Any file of questions with accepted answers, in a prompt of your own.", exactName: "exact match", shots: 0, newTokens: 32 },
  gsm8k: {
    title: "GSM8K", about: "Word problems: the number after ####. Rows: question, answer.", exactName: "strict match", shots: 5, newTokens: 256,
    measures: { strict: { title: "strict match (after ####)", unit: "share" }, flexible: { title: "flexible match (last number)", unit: "share" } },
  },
  math: {
    title: "MATH", about: "Competition mathematics: the last \\boxed{…}, Hendrycks's normal form. Rows: problem, solution.", exactName: "boxed match", shots: 4, newTokens: 512,
    measures: { boxed: { title: "boxed match (Hendrycks's normal form)", unit: "share" }, flexible: { title: "boxed or stated match (Hendrycks's or Minerva's)", unit: "share" } },
  },
  humaneval: { title: "HumanEval", about: "Python functions, run with their tests. Rows: prompt, test, entry_point, canonical_solution.", exactName: "pass@1", shots: 0, newTokens: 1024, runsPrograms: true, isContainsIdle: true },
  mbpp: { title: "MBPP", about: "Short Python programs, run with their tests. Rows: text, code, test_list.", exactName: "pass@1", shots: 3, newTokens: 256, runsPrograms: true, isContainsIdle: true },
  mt_bench: {
    title: "MT-Bench", about: "Two turns each, rated 1 to 10 by a judge. Rows: turns, maybe reference and category.", exactName: "rated 6 or better", shots: 0, newTokens: 1024, isJudged: true,
    isContainsIdle: true,
    measures: {
      rating: { title: "rating, 1 to 10", unit: "rating" }, "turn 1": { title: "rating of the first turn", unit: "rating" }, "turn 2": { title: "rating of the second turn", unit: "rating" },
      rated: { title: "answers that the judge rated", unit: "share" },
    },
  },
};

/** Tasks whose questions have short accepted answers: what a model knows, not what it can do. */
export const shortAnswered: readonly (TaskName | "rows" | null)[] = ["nq_open", "triviaqa", "webqs", "questions"];

/** Rows like the training rows, in the run's template. */
export const rowsInfo: ProbeTaskInfo = { title: "Rows like the training rows", about: "Asked in the run's template; the final number is compared, or the whole answer.", exactName: "exact match", shots: 0, newTokens: 256 };

/** The task that a probe asks by; null: rows like the training rows. */
export function probeTaskOf({ task, style }: { task?: TaskName | null; style: "knowledge" | "task" }): TaskName | null {
  return task ?? (style === "knowledge" ? "nq_open" : null);
}

export function infoOf(task: TaskName | null): ProbeTaskInfo {
  return task === null ? rowsInfo : probeTaskInfo[task];
}

export interface MeasureRow {
  title: string;
  base: string;
  /** Null without a tuned model. */
  tuned: string | null;
}

type Scored = { measures?: Record<string, number> } | null;

/** A task's further measures of base and tuned model, in words. */
export function measureRows(task: TaskName | null, base: Scored, tuned: Scored): MeasureRow[] {
  return Object.entries(infoOf(task).measures ?? {}).flatMap(([name, { title, unit }]) => {
    const said = (scored: Scored): string | null => {
      const value = scored?.measures?.[name];
      return value === undefined ? null : unit === "share" ? `${(value * 100).toFixed(1)} %` : value.toFixed(2);
    };
    const ofBase = said(base);
    return ofBase === null ? [] : [{ title, base: ofBase, tuned: said(tuned) }];
  });
}
