// What an adapter's model card says: method, settings and figures of the run that made it.

import { basename } from "node:path";
import type { StartInfo } from "../../../native-models/starts/start-folder.ts";
import { methods } from "../../../native-models/starts/methods.ts";
import type { RunFigures } from "../../../native-models/training/checkpoint-file.ts";
import type { AdapterNotes } from "../../../native-models/adapter/adapter-notes.ts";
import type { RowsReport, TrainResult } from "../job-results.ts";
import type { TrainJob } from "../train-jobs.ts";

export interface CardFacts {
  spec: TrainJob;
  start: StartInfo;
  report: RowsReport;
  template: AdapterNotes;
  figures: RunFigures;
  /** Steps done. */
  steps: number;
  validation: TrainResult["validation"];
  retention: TrainResult["retention"];
}

export function adapterCard({ spec, start, report, template, figures, steps, validation, retention }: CardFacts): string {
  const { title, formula, source } = methods[start.method];
  const { counts, format } = report;
  const columns = Object.entries(format.mapping).flatMap(([key, column]) => (key === "kind" ? [] : [`${key}: ${column}`]));
  const rows: [string, string][] = [
    ["Method", `${title}: ${formula} (${source})`],
    ["Rank of the start", String(start.rank)],
    ["Training data", `${basename(spec.data)}, ${counts.kept} rows kept (${counts.cut} with a cut prompt), ${counts.total - counts.kept} left out`],
    ["Columns", `${format.name}: ${columns.join(", ")}`],
    ["Prompt template", `${template.template === "alpaca" ? "Alpaca prompt" : "chat template of the base model"}, see below`],
    ["Steps", `${steps} of ${spec.batch} × ${spec.accumulate} rows, at most ${spec.length} tokens a row`],
    ["Optimizer", `AdamW, learning rate ${spec.learningRate}, cosine with ${spec.warmupRatio} warm-up, weight decay ${spec.weightDecay}, clipping ${spec.clipNorm ?? "off"}`],
    ["Seed", String(spec.seed)],
    ["Loss, first and last step", `${figures.firstLossNats?.toFixed(4)} and ${figures.lastLossNats?.toFixed(4)} nats a token`],
  ];
  if (validation) {
    const { best, last, adapterStep, hasStoppedEarly } = validation;
    rows.push(["Validation", `${validation.rows} rows; lowest loss ${best.lossNats.toFixed(4)} at step ${best.step}, last ${last.lossNats.toFixed(4)}${hasStoppedEarly ? "; stopped early" : ""}; this adapter is of step ${adapterStep}`]);
  }
  if (retention) {
    const { questions, last, adapterStep, hasFallenBelow } = retention;
    rows.push(["Retention", `${(100 * last.retention).toFixed(1)} % of the base's likelihood of right answers at step ${last.step}, on ${questions} questions${hasFallenBelow ? `; that is below the floor of ${100 * retention.floor!} %, so this adapter is of step ${adapterStep}` : ""}`]);
  }
  const table = `| | |\n|---|---|\n${rows.map(([name, value]) => `| ${name} | ${inCell(value)} |`).join("\n")}\n`;
  return `${table}\n## Prompt template\n\nThe rows were written to the model as this ${template.template === "alpaca" ? "text" : "Jinja template"} says; prompts must be written so too.\n\n${fenced(template.templateText)}\n`;
}

/** Column and file names may hold what Markdown takes for its own. */
function inCell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}

/** A fence longer than any in the text. */
function fenced(text: string): string {
  const longest = Math.max(2, ...(text.match(/`+/g) ?? []).map((run) => run.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}text\n${text}\n${fence}`;
}
