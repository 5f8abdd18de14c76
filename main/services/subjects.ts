// The models of a comparison: what a subject names, where its adapter is, what it is called, and which there are.
// "last" and "best" are settled to their step when a conversation begins, so that it is the same model in every turn.

import { basename, join } from "node:path";
import { UserError } from "../../native-models/errors.ts";
import type { RunRow } from "../db/runs.ts";
import type { Deps } from "./deps.ts";
import type { Subject } from "./params/chats.ts";
import { absolute, requireThere } from "./paths.ts";
import type { SubjectView } from "./shapes/chats.ts";

export type Subjects = ReturnType<typeof subjectsOf>;

export function subjectsOf({ store, readers }: Pick<Deps, "store" | "readers">) {
  const checkpointsOf = (run: RunRow) => readers.checkpoints(join(run.folder, "checkpoints"));

  function runOf(runId: number, where: string): RunRow {
    const run = store.runs.find(runId);
    if (run === null) throw new UserError({ what: `Run ${runId} is not there any more.`, where, fix: "Choose another run, or begin a new conversation." });
    return run;
  }

  /** The adapter's PEFT folder or checkpoint file; null for the base. */
  function adapterOf(subject: Subject, model: string): string | null {
    if (subject.kind === "base") return null;
    if (subject.kind === "adapter") {
      const folder = absolute(subject.path);
      requireThere(folder, "chats: adapter");
      return folder;
    }
    const where = `run ${subject.runId}`;
    const run = runOf(subject.runId, where);
    if (run.modelPath !== model) {
      throw new UserError({ what: `Run ${run.id} is of another base model: ${run.modelPath}.`, where, fix: `Compare runs of one base; this conversation is with ${model}.` });
    }
    if (subject.at === "adapter") {
      if (run.adapter === null) throw new UserError({ what: `Run ${run.id} has no adapter yet.`, where, fix: "Wait for its training to end, or ask its last checkpoint." });
      requireThere(run.adapter, where);
      return run.adapter;
    }
    const { steps, best } = checkpointsOf(run);
    const wanted = subject.at === "last" ? steps[0] : subject.at === "best" ? best : [...steps, ...(best === null ? [] : [best])].find(({ step }) => step === subject.at);
    if (wanted != null) return wanted.path;
    throw new UserError({
      what: subject.at === "best" ? `Run ${run.id} has no best checkpoint: it has not been validated.` : subject.at === "last" ? `Run ${run.id} has no checkpoint.` : `Run ${run.id} has no checkpoint of step ${subject.at} any more.`,
      where,
      fix: "Choose one that is listed: a training keeps its last two checkpoints and the best.",
    });
  }

  function viewOf(subject: Subject): SubjectView {
    if (subject.kind === "base") return { subject, label: "Base", about: "the model as it was" };
    if (subject.kind === "adapter") return { subject, label: basename(subject.path), about: subject.path };
    const run = store.runs.find(subject.runId);
    return { subject, label: `Run ${subject.runId}${stateOf(subject) === "adapter" ? "" : `, ${stateOf(subject)}`}`, about: run?.name ?? "deleted" };
  }

  return {
    adapterOf,
    viewOf,

    /** The subject with its step in place of "last" and "best". */
    settle(subject: Subject): Subject {
      if (subject.kind !== "run" || typeof subject.at === "number" || subject.at === "adapter") return subject;
      const { steps, best } = checkpointsOf(runOf(subject.runId, `run ${subject.runId}`));
      const step = subject.at === "last" ? steps[0]?.step : best?.step;
      return step === undefined ? subject : { ...subject, at: step };
    },

    /** Every model that can be asked beside the base `model`, newest run first. */
    choices(model: string): SubjectView[] {
      const runs = store.runs.newest(1000).filter((run) => run.modelPath === absolute(model));
      const ofRuns = runs.flatMap((run): SubjectView[] => {
        const { steps, best } = checkpointsOf(run);
        const view = (at: Extract<Subject, { kind: "run" }>["at"], label: string): SubjectView => ({ subject: { kind: "run", runId: run.id, at }, label: `Run ${run.id}${label}`, about: run.name });
        return [
          ...(run.adapter === null ? [] : [view("adapter", "")]),
          ...statesOf(steps.map(({ step }) => step), best?.step ?? null).map(({ at, label }) => view(at, label)),
        ];
      });
      return [viewOf({ kind: "base" }), ...ofRuns];
    },
  };
}

/** Checkpoints to choose from, newest first; one that is both the last and the best stands there once. */
function statesOf(steps: readonly number[], best: number | null): { at: "last" | "best" | number; label: string }[] {
  const all = [...new Set([...steps, ...(best === null ? [] : [best])])].sort((a, b) => b - a);
  return all.map((step) => {
    const [isLast, isBest] = [step === steps[0], step === best];
    const name = [...(isBest ? ["best"] : []), ...(isLast ? ["last"] : [])].join(" and ");
    return { at: isLast ? "last" : isBest ? "best" : step, label: name === "" ? `, step ${step}` : `, ${name} (step ${step})` };
  });
}

/** "adapter", "step 20", "last". */
export function stateOf({ at }: Extract<Subject, { kind: "run" }>): string {
  return typeof at === "number" ? `step ${at}` : at;
}
