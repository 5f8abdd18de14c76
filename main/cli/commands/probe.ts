// nullspace probe: what the model knows or can do, base and tuned together, by any of the probe tasks.

import { Option, type Command } from "commander";
import { UserError } from "../../../native-models/errors.ts";
import type { Client, ProbeStartInput } from "../../rpc/contract.ts";
import { defaults, splits, type taskNames } from "../../services/params/defaults.ts";
import type { Context } from "../context.ts";
import { command, whole } from "../options.ts";
import { addProbeOptions, addTaskOption, probeSettings, tasksHelp, type ProbeOptions } from "../probe-options.ts";
import { answersFile, writeAnswers, type AnswersFile } from "../answers-file.ts";
import { runStateHelp, runSubject, type RunSubject } from "../run-subject.ts";
import { probeText } from "../tables.ts";

interface Options extends ProbeOptions {
  model?: string;
  adapter?: string;
  run?: RunSubject;
  questions: string;
  task?: (typeof taskNames)[number];
  split?: (typeof splits)[number];
  answers?: AnswersFile;
  width: "float32" | "int8" | "int4";
  batch: number;
}

export function make(context: Context): Command {
  const probe = command("probe", "Asks questions of a probe task and scores the answers; with an adapter, of base and tuned model together.")
    .option("--model <DIR>", "model folder; not needed with --run")
    .option("--run <ID[@STATE]>", `a run: its model and its adapter, or a checkpoint; ${runStateHelp}`, runSubject)
    .option("--adapter <DIR>", "PEFT folder of the tuned model; without it the base alone is asked")
    .requiredOption("--questions <FILE>", "the task's questions: JSONL, JSON, CSV, Parquet, .jsonl.gz or a data set folder")
    .addOption(new Option("--split <NAME>", "part of a data set folder (default: the one that the task asks)").choices(splits));
  probe.addOption(new Option("--width <WIDTH>", "what the weights are multiplied as: float32 is exact").choices(["float32", "int8", "int4"]).default("float32"));
  probe.option("--batch <B>", "questions at once, of each model; fewer where their keys and values might take more than 1 GiB", whole, defaults.probeBatch);
  probe.option("--answers <FILE>", "write every question with both raw answers into this file, .csv or .jsonl", answersFile);
  return addProbeOptions(addTaskOption(probe, "--task", "how questions are asked and scored; see below (default: nq_open)"))
    .addHelpText("after", tasksHelp())
    .action(async (options: Options) => {
      const { questions, task, split, answers, width, batch } = options;
      const client = context.client();
      const asked = await askedOf(client, options);
      const { id } = await client.probe.start({ ...asked, width, batch, questions, task: task ?? null, split: split ?? null, ...probeSettings(options), continueStopped: options.fresh !== true });
      const cancel = () => void client.probe.cancel({ id }).catch(() => {}); // it has just ended: the loop below sees it
      if (context.signal.aborted) cancel();
      context.signal.addEventListener("abort", cancel);
      for await (const event of await client.probe.follow({ id })) {
        if (event.type === "probe" && event.probe.progress !== null) context.progress.show(event.probe.progress);
        if (event.type !== "ended") continue;
        const { probe } = event;
        if (probe.status === "done") {
          if (answers) await writeAnswers(client, id, answers);
          context.print({ probe, ...(answers && { answers: answers.path }) }, [probeText(probe), ...(answers ? [`Answers: ${answers.path}`] : [])].join("\n"));
        } else context.end(probe.error, { probe });
      }
    });
}

/** The models that are asked: those that are named, or a run's. */
async function askedOf(client: Client, { model, adapter, run }: Options): Promise<Pick<ProbeStartInput, "model" | "adapter" | "run">> {
  if (run !== undefined) {
    if (model === undefined && adapter === undefined) return { model: (await client.runs.show({ id: run.runId })).modelPath, run };
    throw new UserError({ what: "A run has its model and its adapter already.", where: "probe: --run", fix: "Leave out --model and --adapter, or probe without --run." });
  }
  if (model === undefined) throw new UserError({ what: "No model is named.", where: "probe: --model", fix: "Give --model or --run." });
  return { model, adapter: adapter ?? null };
}
