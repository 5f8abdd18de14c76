// A job's end as a value or an error: done gives the result, failed throws JobFailure, cancelled throws JobCancelled.

import { UserError, type ErrorParts } from "../../native-models/errors.ts";
import type { JobEnd } from "../engine/host.ts";
import type { JobSpec, ResultOf } from "../engine/jobs.ts";

export class JobFailure extends Error {
  readonly parts: ErrorParts & { isBug: boolean };
  readonly hasDied: boolean;
  readonly lastCheckpointStep: number | null;

  constructor(end: Extract<JobEnd, { type: "failed" }>) {
    super(end.error.what);
    this.name = "JobFailure";
    const { what, where, fix, isBug, stack } = end.error;
    this.parts = { what, where, fix, isBug };
    if (stack !== null) this.stack = stack;
    this.hasDied = end.hasDied;
    this.lastCheckpointStep = end.lastCheckpointStep;
  }
}

export class JobCancelled extends Error {
  constructor() {
    super("Cancelled");
    this.name = "AbortError";
  }
}

export function resultOrThrow<J extends JobSpec>(end: JobEnd<J>): ResultOf<J> {
  if (end.type === "done") return end.result;
  throw end.type === "failed" ? new JobFailure(end) : new JobCancelled();
}

/** The three parts of any error, to be stored with a run. */
export function storedError(error: unknown): ErrorParts & { isBug: boolean } {
  if (error instanceof JobFailure) return error.parts;
  if (error instanceof UserError) return { ...error.parts, isBug: false };
  return {
    what: `Something went wrong inside Nullspace: ${error instanceof Error ? error.message : String(error)}`,
    where: "services",
    fix: "This is a fault in Nullspace; the log holds the details.",
    isBug: true,
  };
}
