// How a probe asks, with the task's own figures where nothing else is said. In: params or the config of an older run,
// which has fewer fields. Out: settings of the job, and what of them is not as ever, for its key.

import { UserError } from "../../native-models/errors.ts";
import type { JudgeSettings, ProbeJob } from "../engine/answer-jobs.ts";
import { defaults } from "./params/defaults.ts";
import type { ProbeStart } from "./params/probes.ts";
import { absolute, requireThere } from "./paths.ts";
import { infoOf, probeTaskOf } from "./probe-tasks.ts";

type Asking = Pick<ProbeJob, "task" | "shots" | "shotChoice" | "promptForm" | "wording" | "judge" | "mayRunPrograms" | "maxNewTokens" | "mapping" | "split">;

/** What of params says how a probe asks. */
type AskingParams = Omit<Partial<ProbeStart>, "style"> & Pick<ProbeStart, "style">;

export function askingOf(params: AskingParams): Asking {
  const { shotChoice = { by: "first" as const }, promptForm = null, wording = "plain", mayRunPrograms = false, mapping = null, split = null } = params;
  const task = probeTaskOf(params);
  const info = infoOf(task);
  if (info.runsPrograms && !mayRunPrograms) {
    throw new UserError({
      what: `${info.title} runs programs that the model has written, and this was not allowed.`,
      where: "probe: mayRunPrograms",
      fix: "Allow it (--sandbox): each program runs in a sandbox of its own, without network and without access to your files.",
    });
  }
  const judge = info.isJudged ? judgeOf(params) : null;
  const shots = shotChoice.by === "rows" ? shotChoice.rows.length : (params.shots ?? info.shots);
  const maxNewTokens = params.maxNewTokens ?? info.newTokens;
  return { task, shots, shotChoice, promptForm: task === "questions" ? promptForm : null, wording, judge, mayRunPrograms, maxNewTokens, mapping, split };
}

/** Null for NQ-open with the first rows as examples, and for rows of the task: they were all there was before. */
export function unusualAsking({ task = null, style, shotChoice = { by: "first" }, promptForm = null, wording = "plain", judge = null }: ProbeJob): string | null {
  const isAsEver = task === (style === "knowledge" ? "nq_open" : null) && shotChoice.by === "first" && promptForm === null && wording === "plain" && judge === null;
  return isAsEver ? null : JSON.stringify({ task, shotChoice, promptForm, wording, judge: judge && judgeName(judge) });
}

function judgeOf({ judge = null, batch = defaults.probeBatch }: AskingParams): JudgeSettings {
  if (judge === null) {
    throw new UserError({
      what: "MT-Bench needs a judge that rates the answers.",
      where: "probe: judge",
      fix: "Name a model folder (--judge-model) or an OpenAI-compatible address with a model's name (--judge-url, --judge-name).",
    });
  }
  if (judge.kind === "endpoint") return judge;
  const folder = absolute(judge.folder);
  requireThere(folder, "probe: judge");
  return { ...judge, folder, batch };
}

/** What its verdicts depend on. */
function judgeName(judge: JudgeSettings): object {
  return judge.kind === "model" ? { folder: judge.folder, newTokens: judge.newTokens } : { url: judge.url, model: judge.model, newTokens: judge.newTokens };
}
