// What an engine process can do: a row per kind of job.

import type { Emit } from "../events.ts";
import type { JobResult } from "../job-results.ts";
import type { JobSpec, ResultOf } from "../jobs.ts";

type Runner<J extends JobSpec> = (spec: J, emit: Emit, signal: AbortSignal) => Promise<ResultOf<J>>;

/** Loaded when needed: a probe process never loads what only training needs. */
const runners: { [K in JobSpec["kind"]]: () => Promise<Runner<Extract<JobSpec, { kind: K }>>> } = {
  calibrate: async () => (await import("./calibrate.ts")).runCalibrate,
  "calibrate-task": async () => (await import("./calibrate.ts")).runCalibrateTask,
  init: async () => (await import("./init.ts")).runInit,
  "start-report": async () => (await import("./start-report.ts")).runStartReport,
  train: async () => (await import("./train.ts")).runTrain,
  estimate: async () => (await import("./estimate.ts")).runEstimate,
  "count-rows": async () => (await import("./count-rows.ts")).runCountRows,
  probe: async () => (await import("./probe.ts")).runProbe,
  ask: async () => (await import("./ask.ts")).runAsk,
  surprise: async () => (await import("./surprise.ts")).runSurprise,
  "measure-width": async () => (await import("./measure-width.ts")).runMeasureWidth,
  "sample-model": async () => (await import("./sample-model.ts")).runSampleModel,
};

/** Runs one job to its end. Throws UserError, the signal's reason when cancelled, or anything else for a bug. */
export async function runJob(spec: JobSpec, emit: Emit, signal: AbortSignal): Promise<JobResult> {
  const run = (await runners[spec.kind]()) as Runner<JobSpec>;
  return run(spec, emit, signal);
}
