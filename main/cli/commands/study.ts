// nullspace study: what each way of starting learns and keeps, over ranks, learning rates and seeds. A cell is a whole run
// of the store (calibrations and starts are found again), measured by the loss on held-out rows of the task and by the
// likelihood of right answers that is left. Out: a file a cell, a table, CSV, JSON and a picture. Stopped, it goes on where it was.

import { InvalidArgumentError, type Command } from "commander";
import { join, resolve } from "node:path";
import { UserError } from "../../../native-models/errors.ts";
import type { RunDetail } from "../../rpc/contract.ts";
import { defaults } from "../../services/params/defaults.ts";
import { methods } from "../../services/params/methods.ts";
import type { columnMapping } from "../../services/params/data.ts";
import type { z } from "zod";
import type { Context } from "../context.ts";
import { followRun } from "../follow-run.ts";
import { methodsHelp } from "../method-options.ts";
import { command, real, whole } from "../options.ts";
import { duration } from "../progress.ts";
import { parseMap } from "../row-options.ts";
import { cellsOf, openStudyFolder, type Cell, type CellResult, type MethodName, type StudyFolder } from "../study/cells.ts";
import { drawStudy } from "../study/plot.ts";
import { studyCsv, studyTable, summaryOf, type StudySummary } from "../study/summary.ts";

interface Options {
  model: string;
  questions?: string;
  data?: string;
  keptQuestions?: string;
  map?: z.output<typeof columnMapping>;
  methods: MethodName[];
  ranks: number[];
  lrs: number[];
  seeds: number[];
  samples: number;
  calibrationLength: number;
  steps: number;
  batch: number;
  accumulate: number;
  length: number;
  heldOut: number;
  keptLimit: number;
  keptShots: number;
  keptFloor: number;
  keepRuns?: boolean;
  out: string;
}

export function make(context: Context): Command {
  return command("study", "Compares starts: methods × ranks × learning rates × seeds, each trained and measured for what it learnt and kept. Goes on where it stopped.")
    .requiredOption("--model <DIR>", "model folder")
    .option("--questions <FILE>", "calibration questions (default: the sample)")
    .option("--data <FILE>", "training rows (default: the sample)")
    .option("--map <COLUMNS>", "which columns of --data mean what, as in train", parseMap)
    .option("--kept-questions <FILE>", "questions with answers that are measured for what is kept (default: the sample)")
    .option("--methods <LIST>", "methods, with commas between", methodList, ["lora-null-v2", "lora-null-v1", "task-null", "lora"])
    .option("--ranks <LIST>", "ranks", listOf(whole), [defaults.rank])
    .option("--lrs <LIST>", "learning rates", listOf(real), [2e-4, 1e-3, 5e-3])
    .option("--seeds <LIST>", "seeds", listOf(whole), [0])
    .option("--samples <N>", "calibration samples", whole, 16)
    .option("--calibration-length <L>", "tokens a calibration sample", whole, defaults.calibrationLength)
    .option("--steps <N>", "optimizer steps of each cell", whole, 50)
    .option("--batch <B>", "rows in one micro-batch", whole, defaults.batch)
    .option("--accumulate <K>", "micro-batches in one step", whole, 1)
    .option("--length <L>", "most tokens of a row", whole, defaults.length)
    .option("--held-out <N>", "training rows held out to measure what is learnt", whole, 32)
    .option("--kept-limit <K>", "questions that measure what is kept", whole, 64)
    .option("--kept-shots <N>", "example answers before each of them", whole, defaults.retentionShots)
    .option("--kept-floor <SHARE>", "the best rate of a method is the one that learns most among those that keep this share", share, 0.95)
    .option("--keep-runs", "keep the run and the adapter of every cell in the store")
    .requiredOption("--out <DIR>", "folder of the study: cells/, table.md, table.csv, summary.json, study.svg")
    .addHelpText("after", methodsHelp())
    .action((options: Options) => study(context, options));
}

async function study(context: Context, options: Options): Promise<void> {
  const { samples } = await context.client().system.info();
  const sample = (name: string, option: string): string => {
    const found = samples.find((each) => each.name === name);
    if (found === undefined) throw new UserError({ what: "The sample files are not there.", where: `study: ${option}`, fix: `Give ${option}.` });
    return found.path;
  };
  const { ranks, lrs, seeds, out, keptFloor, keepRuns, methods: names, ...rest } = options;
  const common = {
    ...rest,
    model: resolve(options.model),
    questions: resolve(options.questions ?? sample("world-knowledge.calibration.jsonl", "--questions")),
    data: resolve(options.data ?? sample("word-problems.train.jsonl", "--data")),
    keptQuestions: resolve(options.keptQuestions ?? sample("world-knowledge.probe.jsonl", "--kept-questions")),
  };
  const folder = openStudyFolder(resolve(out), common);
  const cells = cellsOf(names, ranks, lrs, seeds);
  const waiting = cells.filter((cell) => folder.find(cell) === null);
  if (waiting.length < cells.length) context.note(`${cells.length - waiting.length} of ${cells.length} cells are there from before.`);
  const started = performance.now();
  for (const [i, cell] of waiting.entries()) {
    context.signal.throwIfAborted();
    const left = i === 0 ? "" : ` · about ${duration(((performance.now() - started) / i) * (waiting.length - i))} left`;
    context.note(`\nCell ${cells.length - waiting.length + i + 1} of ${cells.length}: ${nameOf(cell)}${left}`);
    folder.write(await runCell(context, cell, common, keepRuns ?? false));
    writeSummary(folder, common.data, keptFloor);
  }
  const summary = writeSummary(folder, common.data, keptFloor);
  context.print({ ...summary, cells: folder.all() }, `${studyTable(summary)}\nPicture: ${join(resolve(out), "study.svg")}`);
}

function writeSummary(folder: StudyFolder, data: string, keptFloor: number): StudySummary {
  const summary = summaryOf(folder.all(), keptFloor);
  folder.writeText("table.md", `${studyTable(summary)}\n`);
  folder.writeText("table.csv", studyCsv(summary));
  folder.writeText("summary.json", `${JSON.stringify(summary, null, 2)}\n`);
  folder.writeText("study.svg", drawStudy(summary.settings, `Learnt and kept, ${data.split(/[\\/]/).at(-1)}`));
  return summary;
}

type Common = Omit<Options, "methods" | "ranks" | "lrs" | "seeds" | "out" | "keptFloor" | "keepRuns"> & { questions: string; data: string; keptQuestions: string };

async function runCell(context: Context, { method, rank, learningRate, seed }: Cell, settings: Common, keepsRun: boolean): Promise<CellResult> {
  const { model, questions, data, map, keptQuestions, samples, calibrationLength, steps, batch, accumulate, length, heldOut, keptLimit, keptShots } = settings;
  const client = context.client();
  const started = performance.now();
  const { id } = await client.runs.start({
    name: `Study: ${nameOf({ method, rank, learningRate, seed })}`,
    model, questions, data, mapping: map ?? null, samples, calibrationLength, method, rank, learningRate, seed, steps, batch, accumulate, length,
    validation: { rows: heldOut, everySteps: steps, keeps: "last" },
    retention: { questions: keptQuestions, limit: keptLimit, shots: keptShots, everySteps: steps },
    checkpointEverySteps: steps, probe: null, taskProbe: null, continueStopped: true,
  });
  const run = await followRun(context, id);
  const result = resultOf(run, { method, rank, learningRate, seed }, performance.now() - started);
  if (result === null && run.status === "done") {
    throw new UserError({ what: `Run ${id} has its adapter from an earlier try that was killed before its last figures were kept.`, where: `study: ${run.name}`, fix: "Delete the runs of this name with `nullspace runs delete`, and repeat the command." });
  }
  if (result === null) context.end(run.error, { run }); // cancelled, or no fault of the cell
  if (!keepsRun) await client.runs.delete({ id });
  return result;
}

/** Null where the run did not come to an end of its own. Only training that diverges is a result. */
function resultOf(run: RunDetail, cell: Cell, elapsedMs: number): CellResult | null {
  if (run.status === "failed" && run.stage === "train" && run.error?.isBug === false && /diverged/.test(run.error.what)) {
    return { ...cell, status: "failed", why: run.error.what, taskNats: null, kept: null, elapsedMs };
  }
  const [validation, retention] = [run.validations.at(-1), run.retentions.at(-1)];
  if (run.status !== "done" || validation === undefined || retention === undefined) return null;
  const { retention: share, low, high, questions, exact } = retention;
  return { ...cell, status: "done", why: null, taskNats: validation.lossNats, kept: { share, low, high, questions, exact }, elapsedMs };
}

function nameOf({ method, rank, learningRate, seed }: Cell): string {
  return `${method}, rank ${rank}, learning rate ${learningRate}, seed ${seed}`;
}

function listOf(parse: (text: string) => number): (text: string) => number[] {
  return (text) => text.split(",").map((part) => parse(part.trim()));
}

function share(text: string): number {
  const value = real(text);
  if (value < 0 || value > 1) throw new InvalidArgumentError("It must lie between 0 and 1.");
  return value;
}

function methodList(text: string): MethodName[] {
  return text.split(",").map((part) => {
    const found = methods.find((name) => name === part.trim());
    if (found === undefined) throw new InvalidArgumentError(`"${part.trim()}" is none of ${methods.join(", ")}.`);
    return found;
  });
}
