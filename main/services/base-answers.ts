// The base's answers are asked once: a probe of another run or checkpoint of the same base takes them from the newest
// probe that asked the same in the same way. What must be equal is in the key; the engine takes an answer only where row,
// prompt and accepted answers are equal too, so a limit need not be in it.

import type { ProbeRow } from "../db/probes.ts";
import type { ProbeAnswer } from "../engine/events.ts";
import type { JudgeSettings, ProbeJob } from "../engine/answer-jobs.ts";
import type { Deps } from "./deps.ts";
import type { BaseSource } from "./shapes/probes.ts";
import { stageKey, tokenizerHash } from "./stage-keys.ts";
import type { Stages } from "./stages.ts";

/** Content of a probe's files. */
export interface FileHashes {
  questions: string;
  shotsFrom: string | null;
}

export interface KnownAnswers {
  from: BaseSource;
  answers: ProbeAnswer[];
}

export function baseAnswers({ store, readers }: Pick<Deps, "store" | "readers">, stages: Pick<Stages, "fingerprintOf">) {
  return {
    /** Of all that the base's answers depend on. The prompts' template counts only where prompts are written in it. */
    async key(job: ProbeJob, files: FileHashes): Promise<string> {
      const { model, task = null, shots, shotChoice = { by: "first" }, promptForm = null, wording = "plain", judge = null, maxNewTokens, mapping = null, split = null, weights } = job;
      const isInTemplate = wording === "template" || task === "mt_bench" || task === null;
      const template = isInTemplate ? { template: job.template, text: job.template === "chat" ? (job.chatTemplate ?? readers.chatTemplateText(model)) : null } : null;
      return stageKey("base-answers", {
        ...files,
        model: stages.fingerprintOf(model),
        tokenizer: await tokenizerHash(model),
        task: task ?? "rows",
        width: readers.roundingOf(weights?.width ?? "float32"),
        asking: JSON.stringify({ shotChoice, promptForm, wording, judge: judge && judgeOf(judge), mapping, split, template }),
        shots, maxNewTokens,
      });
    },

    /** What other probes of that key have of the base, and whose answers they are. */
    find(baseKey: string, ofProbe: number): KnownAnswers | null {
      const source = store.probes.findBase(baseKey, ofProbe);
      if (source === null) return null;
      const answers = store.probeAnswers.ofBase(source.id);
      return answers.length === 0 ? null : { answers, from: { ...sourceOf(source), answers: answers.length } };
    },
  };

  /** What verdicts depend on. */
  function judgeOf(judge: JudgeSettings): object {
    const { newTokens } = judge;
    return judge.kind === "model" ? { model: stages.fingerprintOf(judge.folder), newTokens } : { url: judge.url, model: judge.model, newTokens };
  }
}

/** The probe that asked: the one that answers were taken from may itself have taken them. */
export function sourceOf({ id, runId, endedMs, createdMs, baseFrom }: ProbeRow): Omit<BaseSource, "answers"> {
  const { probeId, runId: ofRun, askedMs } = (baseFrom as BaseSource | null) ?? { probeId: id, runId, askedMs: endedMs ?? createdMs };
  return { probeId, runId: ofRun, askedMs };
}
