// How a probe asks, with the task's own figures where nothing else is said. In: params or the config of an older run,
// which has fewer fields. Out: settings of the job, and what of them is not as ever, for its key.

import { UserError } from "../../native-models/errors.ts";
import type { ProbeJob } from "../engine/jobs.ts";
import type { ProbeStart } from "./params.ts";
import { infoOf, probeTaskOf } from "./probe-tasks.ts";

type Asking = Pick<ProbeJob, "task" | "shots" | "shotChoice" | "promptForm" | "wording" | "mayRunPrograms" | "maxNewTokens" | "mapping" | "split">;

export function askingOf(params: ProbeStart): Asking {
  const { shotChoice = { by: "first" }, promptForm = null, wording = "plain", mayRunPrograms = false, mapping = null, split = null } = params;
  const task = probeTaskOf(params);
  const info = infoOf(task);
  if (info.runsPrograms && !mayRunPrograms) {
    throw new UserError({
      what: `${info.title} runs programs that the model has written, and this was not allowed.`,
      where: "probe: mayRunPrograms",
      fix: "Allow it (--sandbox): each program runs in a sandbox of its own, without network and without access to your files.",
    });
  }
  const shots = shotChoice.by === "rows" ? shotChoice.rows.length : (params.shots ?? info.shots);
  return { task, shots, shotChoice, promptForm: task === "questions" ? promptForm : null, wording, mayRunPrograms, maxNewTokens: params.maxNewTokens ?? info.newTokens, mapping, split };
}

/** Null for NQ-open with the first rows as examples, and for rows of the task: they were all there was before. */
export function unusualAsking({ task = null, style, shotChoice = { by: "first" }, promptForm = null, wording = "plain" }: ProbeJob): string | null {
  const isAsEver = task === (style === "knowledge" ? "nq_open" : null) && shotChoice.by === "first" && promptForm === null && wording === "plain";
  return isAsEver ? null : JSON.stringify({ task, shotChoice, promptForm, wording });
}
