// Spectra, energies and angles of a start, written as JSON: what its pictures are drawn from.

import { availableParallelism } from "node:os";
import { openCheckpoint } from "../../../native-models/checkpoint/checkpoint.ts";
import { writeFileWhole } from "../../../native-models/checkpoint/file-bytes.ts";
import { openGramFile } from "../../../native-models/nullspace/gram-file.ts";
import { openDenseKernels } from "../../../native-models/runtime/dense-kernels.ts";
import { reportStart } from "../../../native-models/starts/report.ts";
import { readStart } from "../../../native-models/starts/start-folder.ts";
import type { Emit } from "../events.ts";
import type { StartReportJob } from "../jobs.ts";
import type { StartReportResult } from "../job-results.ts";
import { trackProgress } from "./progress.ts";

export async function runStartReport({ model, start, grams, taskGrams, out }: StartReportJob, emit: Emit, signal: AbortSignal): Promise<StartReportResult> {
  const started = performance.now();
  const checkpoint = openCheckpoint(model);
  const onProgress = trackProgress({ emit, stage: "Looking at the start", unit: "layers", total: checkpoint.config.layers });
  const kernels = await openDenseKernels({ threads: availableParallelism() });
  try {
    const report = await reportStart({
      checkpoint, start: readStart(start), knowledge: grams === null ? null : openGramFile(grams), task: taskGrams === null ? null : openGramFile(taskGrams), kernels, onProgress, signal,
    });
    writeFileWhole(out, `${JSON.stringify(report)}\n`);
    return { kind: "start-report", out, elapsedMs: performance.now() - started };
  } finally {
    await kernels.release();
  }
}
