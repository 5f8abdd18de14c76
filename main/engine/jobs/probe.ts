// A probe: every question answered and scored by the base and, where an adapter is given, by the tuned model beside it in
// the same runs. Each answer is sent as it is known, which is not the order of the questions.

import type { Judged } from "../../../native-models/probe/task.ts";
import { openSandbox } from "../../../native-models/sandbox/sandbox.ts";
import type { Emit } from "../events.ts";
import type { ProbeJob, ProbeResult, ProbeScore } from "../jobs.ts";
import { withTemplate } from "./open-tokenizer.ts";
import { probeItems, taskOf, type RunProgram } from "./probe-items.ts";
import { trackProgress } from "./progress.ts";
import { warmAdapters, warmAnswerer } from "./warm-answerer.ts";

interface Verdict extends Omit<Judged, "measures" | "verdict"> {
  measures: Record<string, number>;
  verdict: string | null;
  logLikelihoodNats: number;
}

export async function runProbe(spec: ProbeJob, emit: Emit, signal: AbortSignal): Promise<ProbeResult> {
  const started = performance.now();
  const sandbox = taskOf(spec)?.runsPrograms && spec.mayRunPrograms ? await openSandbox() : null;
  try {
    return await askAll(spec, emit, signal, started, sandbox && ((program) => sandbox.run(program, { signal })));
  } finally {
    await sandbox?.close();
  }
}

async function askAll(spec: ProbeJob, emit: Emit, signal: AbortSignal, started: number, runProgram: RunProgram | null): Promise<ProbeResult> {
  const warm = await warmAnswerer(spec.model);
  const { answerer } = warm;
  const tokenizer = withTemplate(warm.tokenizer, spec.chatTemplate);
  const adapters = warmAdapters(warm, spec.adapter === null ? [] : [spec.adapter]);
  const items = await probeItems(spec, tokenizer, answerer.maxLength, runProgram);
  const subjects: ("base" | "tuned")[] = spec.adapter === null ? ["base"] : ["base", "tuned"];
  const verdicts: Record<"base" | "tuned", Verdict[]> = { base: [], tuned: [] };
  const report = trackProgress({ emit, stage: spec.style === "knowledge" ? "Asking what the model knows" : "Asking for the task", unit: "questions", total: items.length });
  const asking = performance.now();

  // A question's rows stand side by side, so that base and tuned model work on the same ones at the same time.
  const order = items.flatMap((item, i) => subjects.map((subject) => ({ subject, item, i })));
  let answered = 0;
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
        const { subject, item, i } = order[row];
        const answer = tokenizer.decode(generated.ids);
        const { isExact, isContained, measures = {}, verdict: said = null } = await item.judge({ text: answer, areGreedy: others.map(({ isGreedy }) => isGreedy) });
        const verdict = { isExact, isContained, measures, verdict: said, logLikelihoodNats: likelihood.logLikelihood / likelihood.tokens };
        verdicts[subject][i] = verdict;
        const { question, accepted, prompt, index } = item;
        emit({ type: "answer", index, subject, question, accepted, prompt, answer, ...verdict });
        answered += 1;
        report(Math.floor(answered / subjects.length));
      },
      signal,
    },
  );

  const askedMs = performance.now() - asking;
  const pairs = verdicts.base.map((base, i) => ({ base, tuned: verdicts.tuned[i] })).filter(({ tuned }) => tuned !== undefined);
  return {
    kind: "probe",
    base: scoreOf(verdicts.base),
    tuned: spec.adapter === null ? null : scoreOf(verdicts.tuned),
    lost: pairs.filter(({ base, tuned }) => base.isExact && !tuned.isExact).length,
    gained: pairs.filter(({ base, tuned }) => !base.isExact && tuned.isExact).length,
    questionsPerSecond: askedMs > 0 ? (items.length / askedMs) * 1000 : 0,
    elapsedMs: performance.now() - started,
  };
}

function scoreOf(verdicts: readonly Verdict[]): ProbeScore {
  const share = (count: number): number => count / verdicts.length;
  const likelihoods = verdicts.map(({ logLikelihoodNats }) => logLikelihoodNats).filter((value) => !Number.isNaN(value));
  return {
    questions: verdicts.length,
    exactMatch: share(verdicts.filter(({ isExact }) => isExact).length),
    contains: share(verdicts.filter(({ isContained }) => isContained).length),
    logLikelihoodNats: likelihoods.length === 0 ? null : likelihoods.reduce((sum, value) => sum + value, 0) / likelihoods.length,
    measures: meanMeasures(verdicts),
  };
}

/** Mean of every measure over the answers that have it. */
function meanMeasures(verdicts: readonly Verdict[]): Record<string, number> {
  const names = [...new Set(verdicts.flatMap(({ measures }) => Object.keys(measures)))];
  return Object.fromEntries(
    names.map((name) => {
      const values = verdicts.flatMap(({ measures }) => (Object.hasOwn(measures, name) ? [measures[name]] : []));
      return [name, values.reduce((sum, value) => sum + value, 0) / values.length];
    }),
  );
}
