// A probe: every question answered and scored by the base and, where an adapter is given, by the tuned model beside it in
// the same runs. Each answer is sent as it is known, which is not the order of the questions. What an earlier try has
// answered is not asked again, and neither is the base where another probe asked it the same.

import type { Tokenizer } from "../../../native-models/checkpoint/types.ts";
import type { AdapterFeeds } from "../../../native-models/answering/adapter-feeds.ts";
import type { Answerer } from "../../../native-models/answering/answerer.ts";
import { taskOf } from "../../../native-models/probe/tasks.ts";
import { openSandbox } from "../../../native-models/sandbox/sandbox.ts";
import type { Emit } from "../events.ts";
import type { ProbeJob } from "../answer-jobs.ts";
import type { ProbeResult } from "../job-results.ts";
import { answerTally, type AnswerTally, type Subject } from "./answer-tally.ts";
import { judgeTurns } from "./judge-turns.ts";
import { withTemplate } from "./open-tokenizer.ts";
import { probeItems, type RunProgram } from "./probe-items.ts";
import { askTurns } from "./probe-turns.ts";
import { trackProgress } from "./progress.ts";
import { warmAdapters, warmAnswerer } from "./warm-answerer.ts";

/** What asking needs. */
export interface Asking {
  spec: ProbeJob;
  answerer: Answerer;
  tokenizer: Tokenizer;
  adapters: AdapterFeeds;
  subjects: readonly Subject[];
  tally: AnswerTally;
  emit: Emit;
  signal: AbortSignal;
}

export async function runProbe(spec: ProbeJob, emit: Emit, signal: AbortSignal): Promise<ProbeResult> {
  const started = performance.now();
  const task = taskOf(spec);
  const sandbox = task?.runsPrograms && spec.mayRunPrograms ? await openSandbox() : null;
  try {
    const warm = await warmAnswerer(spec.model, { weights: spec.weights, emit, signal });
    const asking: Asking = {
      spec,
      answerer: warm.answerer,
      tokenizer: withTemplate(warm.tokenizer, spec.chatTemplate),
      adapters: warmAdapters(warm, spec.adapter === null ? [] : [spec.adapter]),
      subjects: spec.adapter === null ? ["base"] : ["base", "tuned"],
      tally: answerTally(spec, emit),
      emit,
      signal,
    };
    const askedFrom = performance.now();
    let asked: number;
    if (task?.name === "mt_bench") {
      const questions = await askTurns(asking);
      asked = questions.length;
      await judgeTurns(asking, questions);
    } else {
      asked = await askItems(asking, sandbox && ((program) => sandbox.run(program, { signal })));
    }
    const askedMs = performance.now() - askedFrom;
    return {
      kind: "probe",
      ...asking.tally.result(),
      questionsPerSecond: askedMs > 0 ? (asked / askedMs) * 1000 : 0,
      elapsedMs: performance.now() - started,
    };
  } finally {
    await sandbox?.close();
  }
}

/** Returns how many questions were asked now. */
async function askItems({ spec, answerer, tokenizer, adapters, subjects, tally, emit, signal }: Asking, runProgram: RunProgram | null): Promise<number> {
  const items = await probeItems(spec, tokenizer, answerer.maxLength, runProgram);
  for (const item of items) tally.takeKnown(item);
  // A question's rows stand side by side, so that base and tuned model work on the same ones at the same time.
  const order = items.flatMap((item) => subjects.map((subject) => ({ subject, item }))).filter(({ subject, item }) => tally.find(item.index, subject) === undefined);
  const open = new Map<number, number>(); // answers that a question still lacks
  for (const { item } of order) open.set(item.index, (open.get(item.index) ?? 0) + 1);
  const asked = open.size;
  let done = items.length - asked;
  const report = trackProgress({ emit, stage: spec.style === "knowledge" ? "Asking what the model knows" : "Asking for the task", unit: "questions", total: items.length, from: done });
  await answerer.answerAll(
    order.map(({ subject, item }) => ({
      ids: item.promptIds,
      adapter: subject === "tuned" ? 0 : null,
      scored: [item.answerIds, ...item.continuations],
      maxNewTokens: item.newTokens,
    })),
    {
      adapters,
      rows: spec.batch * subjects.length,
      eosIds: answerer.checkpoint.config.eosIds,
      onToken: (row, _id, ids) => order[row].item.isFinished(tokenizer.decode(ids)),
      async onAnswer(row, { generated, continuations: [likelihood, ...others] }) {
        const { subject, item } = order[row];
        const answer = tokenizer.decode(generated.ids);
        const { isExact, isContained, measures = {}, verdict = null } = await item.judge({ text: answer, areGreedy: others.map(({ isGreedy }) => isGreedy) });
        const { question, accepted, prompt, index } = item;
        const logLikelihoodNats = likelihood.logLikelihood / likelihood.tokens;
        tally.put({ index, subject, question, accepted, prompt, answer, isExact, isContained, measures, verdict, logLikelihoodNats });
        open.set(index, open.get(index)! - 1);
        if (open.get(index) === 0) report((done += 1));
      },
      signal,
    },
  );
  return asked;
}
