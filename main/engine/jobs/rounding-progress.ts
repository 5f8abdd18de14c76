// Progress of rounding a model's weights, in megabytes of the model.

import type { Emit } from "../events.ts";
import { trackProgress, type ReportProgress } from "./progress.ts";

export function roundingProgress(emit: Emit, width: string): (doneBytes: number, totalBytes: number) => void {
  let report: ReportProgress | null = null;
  return (doneBytes, totalBytes) => {
    report ??= trackProgress({ emit, stage: `Rounding the weights to ${width}`, unit: "MB", total: Math.ceil(totalBytes / 1e6) });
    report(Math.ceil(doneBytes / 1e6));
  };
}
