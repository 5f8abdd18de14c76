// What an adapter's model card says: method, settings and figures of the run that made it.

import { basename } from "node:path";
import type { StartInfo } from "../../../native-models/starts/start-folder.ts";
import { methods } from "../../../native-models/starts/methods.ts";
import type { RunFigures } from "../../../native-models/training/checkpoint-file.ts";
import type { TrainJob, TrainResult } from "../jobs.ts";

export interface CardFacts {
  spec: TrainJob;
  start: StartInfo;
  counts: TrainResult["rows"];
  figures: RunFigures;
  /** Steps done. */
  steps: number;
  validation: TrainResult["validation"];
}

export function adapterCard({ spec, start, counts, figures, steps, validation }: CardFacts): string {
  const { title, formula, source } = methods[start.method];
  const rows: [string, string][] = [
    ["Method", `${title}: ${formula} (${source})`],
    ["Rank of the start", String(start.rank)],
    ["Training data", `${basename(spec.data)}, ${counts.kept} rows kept, ${counts.dropped} left out`],
    ["Prompt template", spec.template],
    ["Steps", `${steps} of ${spec.batch} × ${spec.accumulate} rows, at most ${spec.length} tokens a row`],
    ["Optimizer", `AdamW, learning rate ${spec.learningRate}, cosine with ${spec.warmupRatio} warm-up, weight decay ${spec.weightDecay}, clipping ${spec.clipNorm ?? "off"}`],
    ["Seed", String(spec.seed)],
    ["Loss, first and last step", `${figures.firstLossNats?.toFixed(4)} and ${figures.lastLossNats?.toFixed(4)} nats a token`],
  ];
  if (validation) {
    const { best, last, adapterStep, hasStoppedEarly } = validation;
    rows.push(["Validation", `${validation.rows} rows; lowest loss ${best.lossNats.toFixed(4)} at step ${best.step}, last ${last.lossNats.toFixed(4)}${hasStoppedEarly ? "; stopped early" : ""}; this adapter is of step ${adapterStep}`]);
  }
  return `| | |\n|---|---|\n${rows.map(([name, value]) => `| ${name} | ${value} |`).join("\n")}\n`;
}
