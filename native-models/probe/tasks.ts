// The probe tasks, a row each.

import type { ProbeTask, TaskName } from "./task.ts";
import { gsm8k } from "./tasks/gsm8k.ts";
import { humaneval } from "./tasks/humaneval.ts";
import { math } from "./tasks/math.ts";
import { mbpp } from "./tasks/mbpp.ts";
import { mtBench } from "./tasks/mt-bench.ts";
import { nqOpen } from "./tasks/nq-open.ts";
import { questionsTask } from "./tasks/questions.ts";
import type { PromptForm } from "./tasks/short-answers.ts";
import { triviaqa } from "./tasks/triviaqa.ts";
import { webqs } from "./tasks/webqs.ts";

export const probeTasks: Record<TaskName, ProbeTask> = {
  nq_open: nqOpen,
  triviaqa,
  webqs,
  questions: questionsTask(),
  gsm8k,
  math,
  humaneval,
  mbpp,
  mt_bench: mtBench,
};

/** The task of a probe's settings; null: rows like the training rows. */
export function taskOf({ task, style, promptForm }: { task?: TaskName | null; style: "knowledge" | "task"; promptForm?: PromptForm | null }): ProbeTask | null {
  if (!task) return style === "knowledge" ? probeTasks.nq_open : null;
  return task === "questions" && promptForm ? questionsTask(promptForm) : probeTasks[task];
}
