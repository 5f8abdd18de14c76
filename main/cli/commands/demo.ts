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

export function make(context: Context): Command {
  return command("demo", "Fetches a small model (about 270 MB), fine-tunes it on sample data without making it forget, and shows what was kept and learnt. About four minutes on two cores.").action(async () => {
    const started = performance.now();
    const model = await fetchSampleModel(context);
    const { id, prompts } = await context.client().demo.start({ model: model.path });
    const run = await followRun(context, id);
    if (run.status !== "done") endRun(context, run, () => "");
    const answers = await askBoth(context, model, run, prompts);
    context.progress.clear();
    context.print({ run, answers }, summary(run, performance.now() - started));
  });
}

type Answers = Extract<AskEvent, { type: "done" }>["turn"][];

async function askBoth(context: Context, model: ModelSummary, run: RunDetail, prompts: readonly string[]): Promise<Answers> {
  const chat = { model: model.path, subjects: [{ kind: "base" as const }, { kind: "run" as const, runId: run.id }] };
  const turns: Answers = [];
  for (const [i, prompt] of prompts.entries()) {
    const events = await context.client().chats.ask({ chat, prompt, sampling: { maxNewTokens: 80 } }, { signal: context.signal });
    for await (const event of events) {
      if (event.type === "progress") context.progress.show(event.progress);
      if (event.type === "weights" && i === 0) context.say(`\n${event.weights.words}`);
      if (event.type !== "done") continue;
      turns.push(event.turn);
      const [base, tuned] = event.turn.answers;
      context.say(`\nAsked: ${prompt}\n${sideBySide({ title: "base", text: base!.text.trim() }, { title: "tuned", text: tuned!.text.trim() }, process.stdout.columns ?? 100)}`);
    }
  }
  return turns;
}

function kept(probe: ProbeSummary | undefined): string {
  if (!probe?.words) return "not measured";
  return `${probe.words.headline} of ${probe.words.headlineOf === "exact" ? "the base's right answers" : "their likelihood"}`;
}

function summary(run: RunDetail, elapsedMs: number): string {
  const of = (style: ProbeSummary["style"]): ProbeSummary | undefined => run.probes.find((probe) => probe.style === style);
  const [knowledge, task] = [of("knowledge"), of("task")];
  const tables = [knowledge, task].flatMap((probe) => (probe ? [`\n${probe.style === "knowledge" ? "World knowledge" : "Word problems"}\n${probeText(probe)}`] : []));
  return [
    ...tables,
    "",
    `Kept: ${kept(knowledge)}. Learnt: ${task?.words ? `${task.words.headline} on the word problems` : "not measured"}.`,
    `Adapter (PEFT): ${run.adapter}`,
    `Done in ${duration(elapsedMs)}. See it in the window: npm start, then Runs, run ${run.id}.`,
  ].join("\n");
}
