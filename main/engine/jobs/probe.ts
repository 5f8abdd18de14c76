// A probe: every question answered and scored by the base and, where an adapter is given, by the tuned model beside it in
// the same batch. Each answer is sent as it is known.

import type { Begun, Continuation, Generated } from "../../../native-models/answering/answerer.ts";
import type { Tokenizer } from "../../../native-models/checkpoint/types.ts";
import type { Emit } from "../events.ts";
import type { ProbeJob, ProbeResult, ProbeScore } from "../jobs.ts";
import { withTemplate } from "./open-tokenizer.ts";
import { probeItems, type ProbeItem } from "./probe-items.ts";
import { trackProgress } from "./progress.ts";
import { warmAdapters, warmAnswerer, type Warm } from "./warm-answerer.ts";

interface Verdict {
  isExact: boolean;
  isContained: boolean;
  logLikelihoodNats: number;
}

export async function runProbe(spec: ProbeJob, emit: Emit, signal: AbortSignal): Promise<ProbeResult> {
  const started = performance.now();
  const warm = await warmAnswerer(spec.model);
  const { answerer } = warm;
  const tokenizer = withTemplate(warm.tokenizer, spec.chatTemplate);
  const adapters = warmAdapters(warm, spec.adapter === null ? [] : [spec.adapter]);
  const items = await probeItems(spec, tokenizer, answerer.maxLength - spec.maxNewTokens);
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
    const likelihoods = await begun.score(order.map(({ item }) => item.answerIds));
    const generated = await generateUntilStop(begun, order.map(({ item }) => item), spec, warm, signal);
    order.forEach(({ subject, item }, i) => {
      const verdict = judge(item, tokenizer, generated[i], likelihoods[i]);
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

function generateUntilStop(begun: Begun, items: readonly ProbeItem[], spec: ProbeJob, { answerer, tokenizer }: Warm, signal: AbortSignal): Promise<Generated[]> {
  return begun.generate({
    maxNewTokens: spec.maxNewTokens,
    eosIds: answerer.checkpoint.config.eosIds,
    onToken: (row, _id, ids) => items[row].isFinished(tokenizer.decode(ids)),
    signal,
  });
}

function judge(item: ProbeItem, tokenizer: Tokenizer, generated: Generated, likelihood: Continuation): Verdict {
  return { ...item.judge(tokenizer.decode(generated.ids)), logLikelihoodNats: likelihood.logLikelihood / likelihood.tokens };
}

function scoreOf(verdicts: readonly Verdict[]): ProbeScore {
  const share = (count: number): number => count / verdicts.length;
  return {
    questions: verdicts.length,
    exactMatch: share(verdicts.filter(({ isExact }) => isExact).length),
    contains: share(verdicts.filter(({ isContained }) => isContained).length),
    logLikelihoodNats: share(verdicts.reduce((sum, { logLikelihoodNats }) => sum + logLikelihoodNats, 0)),
  };
}
