// What an adapter's model card says: method, settings and figures of the run that made it.

import { basename } from "node:path";
import type { StartInfo } from "../../../native-models/starts/start-folder.ts";
import { methods } from "../../../native-models/starts/methods.ts";
import type { RunFigures } from "../../../native-models/training/checkpoint-file.ts";
import type { TrainJob } from "../jobs.ts";
import type { TrainingRows } from "./training-rows.ts";

export function adapterCard(spec: TrainJob, start: StartInfo, data: TrainingRows, figures: RunFigures, steps: number): string {
  const { title, formula, source } = methods[start.method];
  const rows: [string, string][] = [
    ["Method", `${title}: ${formula} (${source})`],
    ["Rank of the start", String(start.rank)],
    ["Training data", `${basename(spec.data)}, ${data.counts.kept} rows kept, ${data.counts.dropped} left out`],
    ["Prompt template", spec.template],
    ["Steps", `${steps} of ${spec.batch} × ${spec.accumulate} rows, at most ${spec.length} tokens a row`],
    ["Optimizer", `AdamW, learning rate ${spec.learningRate}, cosine with ${spec.warmupRatio} warm-up, weight decay ${spec.weightDecay}, clipping ${spec.clipNorm ?? "off"}`],
    ["Seed", String(spec.seed)],
    ["Loss, first and last step", `${figures.firstLossNats?.toFixed(4)} and ${figures.lastLossNats?.toFixed(4)} nats a token`],
  ];
  return `| | |\n|---|---|\n${rows.map(([name, value]) => `| ${name} | ${value} |`).join("\n")}\n`;
}
