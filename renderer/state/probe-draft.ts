// The part of a new run's form that says how a probe asks: what it holds while it is filled in, and what that comes to.

import { defaults, type RunStartInput } from "../../main/rpc/contract.ts";

type ProbeInput = NonNullable<RunStartInput["probe"]>;
export type TaskChoice = NonNullable<ProbeInput["task"]> | "rows";

/** Every choice keeps its own fields while another is chosen. */
export interface ProbeDraft {
  isOn: boolean;
  questions: string;
  /** "rows": like the training rows. */
  task: TaskChoice;
  /** Null: as the task has them. */
  shots: number | null;
  shotsFrom: string;
  shotsBy: "first" | "seed" | "rows";
  shotSeed: number | null;
  /** "3, 7, 12", counted from 1. */
  shotRows: string;
  wording: "plain" | "template";
  hasOwnForm: boolean;
  form: { description: string; ask: string; delimiter: string };
  mayRunPrograms: boolean;
  judge: { kind: "model" | "endpoint"; folder: string; url: string; model: string; keyFrom: string; perMinute: number | null };
  maxNewTokens: number | null;
  limit: number | null;
  /** Ask the base though its answers are known. */
  fresh: boolean;
}

export function emptyProbe(task: TaskChoice, settings: { shots: number | null; limit: number | null }): ProbeDraft {
  return {
    isOn: true, questions: "", task, shotsFrom: "", shotsBy: "first", shotSeed: 0, shotRows: "", wording: "plain", hasOwnForm: false,
    form: { description: "", ask: "Question: {question}\nAnswer:", delimiter: "\n\n" }, mayRunPrograms: false,
    judge: { kind: "model", folder: "", url: "", model: "", keyFrom: "", perMinute: null }, maxNewTokens: null, fresh: false, ...settings,
  };
}

/** What a run is started with; null where the probe is left out. One that is wanted but has no file yet holds the start back. */
export function probeInput(draft: ProbeDraft): ProbeInput | null {
  const { isOn, questions, task, shots, shotsFrom, wording, hasOwnForm, form, mayRunPrograms, maxNewTokens, limit, fresh } = draft;
  if (!isOn) return null;
  return {
    questions, task: task === "rows" ? null : task, shots, shotsFrom: shotsFrom === "" ? null : shotsFrom, shotChoice: shotChoice(draft), wording,
    promptForm: task === "questions" && hasOwnForm ? form : null, mayRunPrograms, judge: task === "mt_bench" ? judgeInput(draft.judge) : null, maxNewTokens, limit, ...(fresh && { fresh }),
  };
}

/** Settings of an earlier run in the form. */
export function probeDraftOf(empty: ProbeDraft, saved: ProbeInput | null | undefined): ProbeDraft {
  if (!saved) return { ...empty, isOn: false };
  const { task, shotsFrom, shotChoice, promptForm, judge, ...rest } = saved;
  const chosen = shotChoice ?? { by: "first" };
  return {
    ...empty, ...withoutUndefined(rest), isOn: true, task: task ?? empty.task, shotsFrom: shotsFrom ?? "", shotsBy: chosen.by,
    ...(chosen.by === "seed" && { shotSeed: chosen.seed }),
    ...(chosen.by === "rows" && { shotRows: chosen.rows.map((row) => row + 1).join(", ") }),
    ...(promptForm && { hasOwnForm: true, form: { ...empty.form, ...withoutUndefined(promptForm) } }),
    ...(judge && { judge: judgeDraft(empty.judge, judge) }),
  };
}

function shotChoice({ shotsBy, shotSeed, shotRows }: ProbeDraft): ProbeInput["shotChoice"] {
  if (shotsBy === "seed") return { by: "seed", seed: shotSeed ?? NaN };
  if (shotsBy === "rows") return { by: "rows", rows: shotRows.split(/[\s,;]+/).filter((part) => part !== "").map((part) => Number(part) - 1) };
  return { by: "first" };
}

function judgeInput({ kind, folder, url, model, keyFrom, perMinute }: ProbeDraft["judge"]): ProbeInput["judge"] {
  if (kind === "model") return { kind, folder };
  return { kind, url, model, keyFrom: keyFrom.trim() === "" ? null : keyFrom.trim(), perMinute, timeoutMs: defaults.judgeTimeoutMs };
}

function judgeDraft(empty: ProbeDraft["judge"], judge: NonNullable<ProbeInput["judge"]>): ProbeDraft["judge"] {
  if (judge.kind === "model") return { ...empty, kind: "model", folder: judge.folder };
  return { ...empty, kind: "endpoint", url: judge.url, model: judge.model, keyFrom: judge.keyFrom ?? "", perMinute: judge.perMinute ?? null };
}

function withoutUndefined<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as { [K in keyof T]: Exclude<T[K], undefined> };
}
