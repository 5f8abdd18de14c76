// ID or ID@STATE on the command line: a run's adapter, or one of its checkpoints.

import { InvalidArgumentError } from "commander";
import type { Subject } from "../rpc/contract.ts";

export type RunSubject = Extract<Subject, { kind: "run" }>;

export const runStateHelp = "STATE: adapter (default), last, best, or the step of a checkpoint";

export function runSubject(text: string): RunSubject {
  const match = /^([1-9]\d*)(?:@(adapter|last|best|[1-9]\d*))?$/.exec(text);
  if (match === null) throw new InvalidArgumentError("It must be the number of a run, with @adapter, @last, @best or @STEP after it.");
  const state = match[2] ?? "adapter";
  const at = state === "adapter" || state === "last" || state === "best" ? state : Number(state);
  return { kind: "run", runId: Number(match[1]), at };
}
