// The sample model, fetched into a folder.

import { getSampleModel } from "../../../native-models/hub/sample-model.ts";
import type { Emit } from "../events.ts";
import type { SampleModelJob } from "../jobs.ts";
import type { SampleModelResult } from "../job-results.ts";
import { trackProgress, type ReportProgress } from "./progress.ts";

export async function runSampleModel(spec: SampleModelJob, emit: Emit, signal: AbortSignal): Promise<SampleModelResult> {
  const started = performance.now();
  let current: { stage: string; report: ReportProgress } | null = null;
  const { folder, source } = await getSampleModel(spec.out, {
    signal,
    onProgress({ stage, doneBytes, totalBytes }) {
      if (current?.stage !== stage) current = { stage, report: trackProgress({ emit, stage, unit: "bytes", total: totalBytes ?? 0, from: doneBytes }) };
      current.report(doneBytes);
    },
  });
  return { kind: "sample-model", folder, source, elapsedMs: performance.now() - started };
}
