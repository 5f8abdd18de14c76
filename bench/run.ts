// Runs one benchmark by name. In: settings from the command line. Out: its report.
// Measuring is done by child processes, one at a time (child.ts); this process only starts them and does the sums.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeBench } from "./decode.ts";
import { nullspaceBench } from "./nullspace.ts";
import type { Tools } from "./places.ts";
import { probeBench } from "./probe.ts";
import type { BenchName, BenchReport } from "./report.ts";
import { reportText } from "./report-text.ts";
import { checkSettings, type BenchSettings } from "./settings.ts";
import { trainBench } from "./train.ts";

const benches: { [N in BenchName]: (settings: BenchSettings[N], tools: Tools) => Promise<BenchReport> } = {
  train: trainBench,
  probe: probeBench,
  decode: decodeBench,
  nullspace: nullspaceBench,
};

export interface BenchRun {
  report: BenchReport;
  text: string;
}

export async function runBench<N extends BenchName>(name: N, settings: BenchSettings[N], { say, signal }: Omit<Tools, "work">): Promise<BenchRun> {
  checkSettings(settings);
  const work = mkdtempSync(join(tmpdir(), "nullspace-bench-"));
  try {
    const report = await benches[name](settings, { say, signal, work });
    return { report, text: reportText(report) };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
