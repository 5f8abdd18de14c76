// nullspace run: all stages in one go. What was done before is found again; a run that stopped goes on.

import { Option, type Command } from "commander";
import type { RunDetail } from "../../rpc/contract.ts";
import { defaults, scalings, type taskNames } from "../../services/params/defaults.ts";
import type { methods } from "../../services/params/methods.ts";
import type { Context } from "../context.ts";
import { endRun, followRun } from "../follow-run.ts";
import { methodOption, methodsHelp } from "../method-options.ts";
import { command, whole } from "../options.ts";
import { addProbeOptions, addTaskOption, judgeSettings, probeSettings, tasksHelp, type ProbeOptions } from "../probe-options.ts";
import { probeText } from "../tables.ts";
import { memoryLine, retentionText, validationText } from "../training-text.ts";
import { addTrainingOptions, trainingSettings, type TrainingOptions } from "../training-options.ts";

interface Options extends TrainingOptions, ProbeOptions {
  name?: string;
  model: string;
  questions: string;
  samples: number;
  calibrationLength: number;
  scaling: (typeof scalings)[number];
  method: (typeof methods)[number];
  rank: number;
  probeQuestions?: string;
  probeTask?: TaskOption;
  taskQuestions?: string;
  taskProbe?: TaskOption;
  taskShots?: number;
  taskShotsFrom?: string;
}

type TaskOption = (typeof taskNames)[number];

export function make(context: Context): Command {
  const run = command("run", "Calibrates, makes the start, trains and probes, in one go. Stages done before are found again; a stopped run of the same settings goes on.")
    .option("--name <TEXT>", "name of the run")
    .requiredOption("--model <DIR>", "model folder")
    .requiredOption("--questions <FILE>", "calibration questions: what must not be forgotten")
    .option("--samples <N>", "calibration samples", whole, defaults.samples)
    .option("--calibration-length <L>", "tokens a calibration sample", whole, defaults.calibrationLength)
    .addOption(new Option("--scaling <NAME>", "weight of the samples: raw sums, or official: each divided by its largest input").choices(scalings).default(defaults.scaling))
    .addOption(methodOption())
    .option("--rank <R>", "rank of the adapter", whole, defaults.rank);
  const withProbe = addTrainingOptions(run).option("--probe-questions <FILE>", "questions with answers, asked of base and tuned model after training; the options below say how");
  const withTask = addProbeOptions(addTaskOption(withProbe, "--probe-task", "how --probe-questions are asked and scored, see below (default: nq_open)"))
    .option("--task-questions <FILE>", "questions of the task that is learnt, asked after training");
  return addTaskOption(withTask, "--task-probe", "how --task-questions are asked and scored, see below (default: rows like the training rows, final answers compared)")
    .option("--task-shots <N>", "worked examples before each of --task-questions (default: as the task has)", whole)
    .option("--task-shots-from <FILE>", "file or folder that they come from")
    .addHelpText("after", methodsHelp())
    .addHelpText("after", tasksHelp())
    .action(async (options: Options) => {
      const { name, model, questions, samples, calibrationLength, scaling, method, rank } = options;
      const probe = options.probeQuestions === undefined ? null : { ...probeSettings(options), questions: options.probeQuestions, task: options.probeTask ?? null };
      const taskProbe = options.taskQuestions === undefined ? null : {
        questions: options.taskQuestions, task: options.taskProbe ?? null, shots: options.taskShots ?? null, shotsFrom: options.taskShotsFrom ?? null,
        mayRunPrograms: options.sandbox ?? false, judge: judgeSettings(options), limit: options.limit ?? null, ...(options.fresh && { fresh: options.fresh }),
      };
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
  return [`Run ${run.id} is done: ${run.lastStep} steps, loss ${run.lastLossNats?.toFixed(3) ?? "unknown"} nats a token.`, ...validationText(run), ...retentionText(run), ...memoryLine(run), `Adapter: ${run.adapter}`, ...probes].join("\n");
}
