// nullspace demo: the whole way on the sample model and the shipped samples, from nothing to compared answers.

import type { Command } from "commander";
import type { AskEvent, ModelSummary, ProbeSummary, RunDetail } from "../../rpc/contract.ts";
import type { Context } from "../context.ts";
import { endRun, followRun } from "../follow-run.ts";
import { command } from "../options.ts";
import { duration } from "../progress.ts";
import { fetchSampleModel } from "../sample-model.ts";
import { sideBySide } from "../side-by-side.ts";
import { probeText } from "../tables.ts";

/** Settings that a small model visibly learns from in two minutes on two cores. */
const demoRun = {
  name: "Demo: word problems",
  samples: 12,
  calibrationLength: 256,
  method: "lora-null-v2",
  rank: 16,
  steps: 30,
  batch: 8,
  accumulate: 1,
  length: 256,
  learningRate: 1e-3,
  checkpointEverySteps: 10,
} as const;
const knowledgeQuestions = 60;
const taskQuestions = 24;
const shownPrompts = [
  "Emma has 23 stamps and gives away 9 of them. How many stamps are left?",
  "What is the capital of Italy?",
];

export function make(context: Context): Command {
  return command("demo", "Fetches a small model (about 270 MB), fine-tunes it on sample data without making it forget, and shows what was kept and learnt. About four minutes on two cores.").action(async () => {
    const started = performance.now();
    const model = await fetchSampleModel(context);
    const run = await runAll(context, model);
    const answers = await askBoth(context, model, run);
    context.progress.clear();
    context.print({ run, answers }, summary(run, performance.now() - started));
  });
}

async function runAll(context: Context, model: ModelSummary): Promise<RunDetail> {
  const { samples } = await context.client().system.info();
  const sample = (name: string): string => {
    const found = samples.find((each) => each.name === name);
    if (!found) throw new Error(`The sample ${name} is not shipped with this app`);
    return found.path;
  };
  const { id } = await context.client().runs.start({
    ...demoRun,
    model: model.path,
    questions: sample("world-knowledge.calibration.jsonl"),
    data: sample("word-problems.train.jsonl"),
    probe: { questions: sample("world-knowledge.probe.jsonl"), shots: 5, limit: knowledgeQuestions },
    taskProbe: { questions: sample("word-problems.test.jsonl"), shots: 0, limit: taskQuestions },
    continueStopped: true,
  });
  const run = await followRun(context, id);
  if (run.status !== "done") endRun(context, run, () => "");
  return run;
}

type Answers = Extract<AskEvent, { type: "done" }>["result"][];

async function askBoth(context: Context, model: ModelSummary, run: RunDetail): Promise<Answers> {
  const columns = [{ label: "base", adapter: null }, { label: "tuned", adapter: run.adapter }];
  const results: Answers = [];
  for (const content of shownPrompts) {
    const events = await context.client().ask.start({ model: model.path, columns, messages: [{ role: "user", content }], sampling: { maxNewTokens: 80 } }, { signal: context.signal });
    for await (const event of events) {
      if (event.type === "progress") context.progress.show(event.progress);
      if (event.type !== "done") continue;
      results.push(event.result);
      const [base, tuned] = event.result.answers;
      context.say(`\nAsked: ${content}\n${sideBySide({ title: "base", text: base.text.trim() }, { title: "tuned", text: tuned.text.trim() }, process.stdout.columns ?? 100)}`);
    }
  }
  return results;
}

function summary(run: RunDetail, elapsedMs: number): string {
  const of = (style: ProbeSummary["style"]): ProbeSummary | undefined => run.probes.find((probe) => probe.style === style);
  const [knowledge, task] = [of("knowledge"), of("task")];
  const count = (probe: ProbeSummary | undefined, subject: "base" | "tuned"): string => {
    const score = probe?.[subject];
    return score ? `${Math.round(score.exactMatch * score.questions)} of ${score.questions}` : "not measured";
  };
  const tables = [knowledge, task].flatMap((probe) => (probe ? [`\n${probe.style === "knowledge" ? "World knowledge" : "Word problems"}\n${probeText(probe)}`] : []));
  return [
    ...tables,
    "",
    `Kept: of the world-knowledge questions the base model answers ${count(knowledge, "base")}, the tuned model ${count(knowledge, "tuned")}.`,
    `Learnt: of the word problems the base model solves ${count(task, "base")}, the tuned model ${count(task, "tuned")}.`,
    `Adapter (PEFT): ${run.adapter}`,
    `Done in ${duration(elapsedMs)}. See it in the window: npm start, then Runs, run ${run.id}.`,
  ].join("\n");
}
