// Retention while training as the engine's jobs take it, from the params of a call or a stored run.

import { UserError } from "../../native-models/errors.ts";
import type { RetentionSettings } from "../engine/train-jobs.ts";
import type { Readers } from "../engine/readers.ts";
import type { RunSettings } from "./params/runs.ts";
import { absolute, requireThere } from "./paths.ts";
import { shortAnswered } from "./probe-tasks.ts";

type Given = Partial<Pick<RunSettings, "retention">>;

/** What is asked where no questions are named: those of the probe, where it asks for short answers, and of the calibration. */
export function otherQuestions({ probe, questions }: Pick<RunSettings, "probe" | "questions">): string[] {
  return probe !== null && shortAnswered.includes(probe.task ?? "nq_open") ? [probe.questions, questions] : [questions];
}

/** With its questions named, so that a stored run says what it was measured on, and looked into, before minutes of other work. */
export async function settledRetention(readers: Pick<Readers, "readProbeHead">, { retention }: Given, others: readonly string[], where: string): Promise<RunSettings["retention"]> {
  if (!retention) return null;
  const questions = retention.questions ?? others[0];
  if (questions === undefined) throw new UserError({ what: "Retention is to be measured while training, but on no questions.", where: `${where}: retention.questions`, fix: "Name a file of questions with accepted answers with --retention-questions." });
  const file = absolute(questions);
  requireThere(file, `${where}: retention.questions`);
  await readers.readProbeHead({ task: "questions", style: "knowledge", questions: file, shots: 0 });
  return { ...retention, questions: file };
}

/** A run that was made before retention was measured has none. */
export function retentionOf({ retention }: Given): RetentionSettings | null {
  if (!retention) return null;
  const { questions, ...rest } = retention;
  if (questions === null) throw new Error("The questions of retention were not settled");
  return { ...rest, questions };
}
