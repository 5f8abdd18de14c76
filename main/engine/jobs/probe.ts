// A probe: every question answered and scored by the base and, where an adapter is given, by the tuned model beside it in
// the same batch. Each answer is sent as it is known.

import type { Begun, Generated } from "../../../native-models/answering/answerer.ts";
import type { Judged } from "../../../native-models/probe/task.ts";
import type { Emit } from "../events.ts";
import type { ProbeJob, ProbeResult, ProbeScore } from "../jobs.ts";
import { withTemplate } from "./open-tokenizer.ts";
import { probeItems, type ProbeItem } from "./probe-items.ts";
import { trackProgress } from "./progress.ts";
import { warmAdapters, warmAnswerer, type Warm } from "./warm-answerer.ts";

interface Verdict extends Omit<Judged, "measures" | "verdict"> {
  measures: Record<string, number>;
  verdict: string | null;
  logLikelihoodNats: number;
}

export async function runProbe(spec: ProbeJob, emit: Emit, signal: AbortSignal): Promise<ProbeResult> {
  const started = performance.now();
  const warm = await warmAnswerer(spec.model);
  const { answerer } = warm;
  const tokenizer = withTemplate(warm.tokenizer, spec.chatTemplate);
  const adapters = warmAdapters(warm, spec.adapter === null ? [] : [spec.adapter]);
  const items = await probeItems(spec, tokenizer, answerer.maxLength);
  const subjects: ("base" | "tuned")[] = spec.adapter === null ? ["base"] : ["base", "tuned"];
  const verdicts: Record<"base" | "tuned", Verdict[]> = { base: [], tuned: [] };
  const report = trackProgress({ emit, stage: spec.style === "knowledge" ? "Asking what the model knows" : "Asking for the task", unit: "questions", total: items.length });
  const asking = performance.now();

  for (let first = 0; first < items.length; first += spec.batch) {
    signal.throwIfAborted();
    const group = items.slice(first, first + spec.batch);
    const order = subjects.flatMap((subject) => group.map((item) => ({ subject, item })));
    const rows = order.map(({ subject, item }) => ({ ids: item.promptIds, adapter: subject === "tuned" ? 0 : null }));
    const begun = await answerer.begin(rows, { adapters, signal });
    const asked = order.map(({ item }) => item);
    const likelihoods = await begun.score(asked.map(({ answerIds }) => answerIds));
    const areGreedy = await greedyContinuations(begun, asked);
    const generated = await generateUntilStop(begun, asked, warm, signal);
    const judged = await Promise.all(order.map(({ item }, i) => item.judge({ text: tokenizer.decode(generated[i].ids), areGreedy: areGreedy[i] })));
    order.forEach(({ subject, item }, i) => {
      const { isExact, isContained, measures = {}, verdict: said = null } = judged[i];
      const { logLikelihood, tokens } = likelihoods[i];
      const verdict = { isExact, isContained, measures, verdict: said, logLikelihoodNats: logLikelihood / tokens };
      verdicts[subject].push(verdict);
      const { question, accepted, prompt, index } = item;
      emit({ type: "answer", index, subject, question, accepted, prompt, answer: tokenizer.decode(generated[i].ids), ...verdict });
    });
    report(Math.min(items.length, first + spec.batch));
  }

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

async function generateUntilStop(begun: Begun, items: readonly ProbeItem[], { answerer, tokenizer }: Warm, signal: AbortSignal): Promise<Pick<Generated, "ids">[]> {
  const maxNewTokens = Math.max(...items.map(({ newTokens }) => newTokens));
  if (maxNewTokens === 0) return items.map(() => ({ ids: [] }));
  return begun.generate({
    maxNewTokens,
    eosIds: answerer.checkpoint.config.eosIds,
    onToken: (row, _id, ids) => items[row].isFinished(tokenizer.decode(ids)),
    signal,
  });
}

/** For each item, which of its continuations are the greedy one: the n-th of every item in one pass. */
async function greedyContinuations(begun: Begun, items: readonly ProbeItem[]): Promise<boolean[][]> {
  const most = Math.max(...items.map(({ continuations }) => continuations.length));
  const found: boolean[][] = items.map(() => []);
  for (let n = 0; n < most; n++) {
    // An item without an n-th one is looked at with a single token, which costs nothing.
    const scored = await begun.score(items.map(({ continuations, answerIds }) => continuations[n] ?? answerIds.slice(0, 1)));
    items.forEach(({ continuations }, i) => {
      if (n < continuations.length) found[i].push(scored[i].isGreedy);
    });
  }
  return found;
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
