// nullspace run: all stages in one go. What was done before is found again; a run that stopped goes on.

import { Option, type Command } from "commander";
import type { RunDetail } from "../../rpc/contract.ts";
import { defaults, methods, scalings } from "../../services/params.ts";
import type { Context } from "../context.ts";
import { endRun, followRun } from "../follow-run.ts";
import { command, whole } from "../options.ts";
import { probeText } from "../tables.ts";
import { memoryLine, validationText } from "../training-text.ts";
import { addTrainingOptions, trainingSettings, type TrainingOptions } from "../training-options.ts";

interface Options extends TrainingOptions {
  name?: string;
  model: string;
  questions: string;
  samples: number;
  calibrationLength: number;
  scaling: (typeof scalings)[number];
  method: (typeof methods)[number];
  rank: number;
  probeQuestions?: string;
  taskQuestions?: string;
  shots: number;
  shotsFrom?: string;
  limit?: number;
}

export function make(context: Context): Command {
  const run = command("run", "Calibrates, makes the start, trains and probes, in one go. Stages done before are found again; a stopped run of the same settings goes on.")
    .option("--name <TEXT>", "name of the run")
    .requiredOption("--model <DIR>", "model folder")
    .requiredOption("--questions <FILE>", "calibration questions: what must not be forgotten")
    .option("--samples <N>", "calibration samples", whole, defaults.samples)
    .option("--calibration-length <L>", "tokens a calibration sample", whole, defaults.calibrationLength)
    .addOption(new Option("--scaling <NAME>", "weight of the samples: raw sums, or official: each divided by its largest input").choices(scalings).default(defaults.scaling))
    .addOption(new Option("--method <NAME>", "how the adapter starts").choices(methods).default(defaults.method))
    .option("--rank <R>", "rank of the adapter", whole, defaults.rank);
  return addTrainingOptions(run)
    .option("--probe-questions <FILE>", "questions with answers, asked of base and tuned model after training")
    .option("--task-questions <FILE>", "rows like the training rows, whose final answers are compared after training")
    .option("--shots <N>", "example answers before each question of --probe-questions", whole, defaults.shots)
    .option("--shots-from <FILE>", "questions whose first ones are the examples; default: the first of --probe-questions")
    .option("--limit <N>", "most questions to ask (default: all)", whole)
    .action(async (options: Options) => {
      const { name, model, questions, samples, calibrationLength, scaling, method, rank, shots, limit } = options;
      const probe = options.probeQuestions === undefined ? null : { questions: options.probeQuestions, shots, shotsFrom: options.shotsFrom ?? null, limit: limit ?? null };
      const taskProbe = options.taskQuestions === undefined ? null : { questions: options.taskQuestions, shots: 0, limit: limit ?? null };
      const { id } = await context.client().runs.start({
        name: name ?? null, model, questions, samples, calibrationLength, scaling, method, rank, probe, taskProbe,
        ...trainingSettings(options), continueStopped: true,
      });
      const ended = await followRun(context, id);
      endRun(context, ended, () => runText(ended));
    });
}

function runText(run: RunDetail): string {
  const probes = run.probes.map((probe) => `${probe.style === "knowledge" ? "World knowledge" : "Task"}:\n${probeText(probe)}`);
  return [`Run ${run.id} is done: ${run.lastStep} steps, loss ${run.lastLossNats?.toFixed(3) ?? "unknown"} nats a token.`, ...validationText(run), ...memoryLine(run), `Adapter: ${run.adapter}`, ...probes].join("\n");
}
