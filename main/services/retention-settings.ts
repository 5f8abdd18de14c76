// Retention while training as the engine's jobs take it, from the params of a call or a stored run.

import { UserError } from "../../native-models/errors.ts";
import type { RetentionSettings } from "../engine/jobs.ts";
import type { RunSettings } from "./params.ts";
import { absolute, requireThere } from "./paths.ts";

type Given = Partial<Pick<RunSettings, "retention">>;

/** With its questions named, so that a stored run says what it was measured on. `others`: what is asked where none are named. */
export function settledRetention({ retention }: Given, others: readonly (string | null)[], where: string): RunSettings["retention"] {
  if (!retention) return null;
  const questions = retention.questions ?? others.find((file) => file !== null);
  if (questions === undefined) throw new UserError({ what: "Retention is to be measured while training, but on no questions.", where: `${where}: retention.questions`, fix: "Name a file of questions with accepted answers with --retention-questions." });
  const file = absolute(questions!);
  requireThere(file, `${where}: retention.questions`);
  return { ...retention, questions: file };
}

/** A run that was made before retention was measured has none. */
export function retentionOf({ retention }: Given): RetentionSettings | null {
  if (!retention) return null;
  const { questions, ...rest } = retention;
  if (questions === null) throw new Error("The questions of retention were not settled");
  return { ...rest, questions };
}
