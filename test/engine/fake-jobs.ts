// Jobs for tests of the engine, the services and the command line: real files and events, no model. Words in the model
// folder's name choose what happens: "bug", "wrong" (user error), "deaf" (never stops), "slow", "dies" (once, at step 5),
// "dies-always". The loss of step s is 1 / s, so that a resumed run can be compared with one that never stopped; the
// validation loss is lowest at step 4; each step takes 2 % of retention.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../native-models/errors.ts";
import type { Emit } from "../../main/engine/events.ts";
import { fakeStartReport } from "../support/fake-start-report.ts";
import type { MemoryPlan } from "../../native-models/training/memory-plan.ts";
import type { AskJob, ProbeJob, SurpriseJob } from "../../main/engine/answer-jobs.ts";
import type { CalibrateJob, CalibrateTaskJob, InitJob, JobSpec, StartReportJob } from "../../main/engine/jobs.ts";
import type { CountRowsJob, TrainJob } from "../../main/engine/train-jobs.ts";
import type { JobResult, RowsReport } from "../../main/engine/job-results.ts";

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

interface Context<J> {
  spec: J;
  emit: Emit;
  signal: AbortSignal;
  has: (word: string) => boolean;
}

export async function runJob(spec: JobSpec, emit: Emit, signal: AbortSignal): Promise<JobResult> {
  const has = (word: string) => (spec.kind === "sample-model" ? spec.out : spec.model).includes(word);
  if (has("bug")) throw new TypeError("cannot read property of undefined");
  if (has("wrong")) throw new UserError({ what: "The model is wrong.", where: "config.json: hidden_size", fix: "Take another." });
  if (has("deaf")) for (;;) await wait(1000);
  const context = { emit, signal, has };
  switch (spec.kind) {
    case "calibrate": return calibrate({ spec, ...context });
    case "calibrate-task": return calibrateTask({ spec, ...context });
    case "start-report": return startReport(spec);
    case "init": return init({ spec, ...context });
    case "train": return train({ spec, ...context });
    case "estimate": return { kind: "estimate", memory: fakeMemory, retentionTokens: spec.retention && 10 * spec.retention.limit };
    case "count-rows": return countRows({ spec, ...context });
    case "probe": return probe({ spec, ...context });
    case "ask": return ask({ spec, ...context });
    case "surprise": return surprise({ spec, ...context });
    case "measure-width": return { kind: "measure-width", measured: { width: spec.width, questions: 48, tokens: 100, lossNats: 3.412, float32LossNats: 3.409, tokensPerSecond: 65, float32TokensPerSecond: 25, textTokens: 0 }, elapsedMs: 0 };
    case "sample-model": return { kind: "sample-model", folder: spec.out, source: "present", elapsedMs: 0 };
  }
}

export const fakeMemory: MemoryPlan = {
  totalBytes: 1.5e9,
  terms: { weights: 0.5e9, adapters: 0.1e9, optimizer: 0.1e9, activations: 0.3e9, logits: 0.2e9, validation: 0, workspace: 0.1e9, process: 0.2e9 },
  microBatch: { rows: 4, longest: 100, tokens: 320, trained: 90 },
  recomputed: "cheap", validatesBy: null, availableBytes: 8e9, fits: true, proposals: [],
};

const fakeRows = ({ length, overLong = "drop", mapping, split }: TrainJob): RowsReport => ({
  counts: { total: 10, kept: 8, cut: 0, tooLong: 2, empty: 0, reasons: [{ reason: `longer than ${length} tokens`, count: 2, exampleRow: 3 }] },
  tokens: 80, trainedTokens: 20, histogram: { binTokens: 10, counts: [8, 2], longestTokens: 19 }, length, overLong,
  format: { name: mapping ? "by hand" : "query/response", mapping: mapping ?? { kind: "pair", prompt: "query", completion: "response" }, isSure: true },
  split: split ?? null,
});

async function calibrate({ spec, emit, signal, has }: Context<CalibrateJob>): Promise<JobResult> {
  for (let done = 1; done <= spec.samples; done++) {
    await wait(has("slow") ? 20 : 0);
    signal.throwIfAborted();
    emit({ type: "progress", stage: "Reading calibration text", done, total: spec.samples, unit: "samples", ratePerSecond: 50, leftMs: (spec.samples - done) * 20 });
  }
  writeFileSync(spec.out, `grams ${spec.samples} ${spec.length} ${spec.seed}`);
  return { kind: "calibrate", out: spec.out, tokens: spec.samples * spec.length, elapsedMs: 1 };
}

async function calibrateTask({ spec, emit }: Context<CalibrateTaskJob>): Promise<JobResult> {
  emit({ type: "progress", stage: "Reading training prompts", done: 1, total: 1, unit: "tokens", ratePerSecond: 50, leftMs: 0 });
  writeFileSync(spec.out, `task grams ${spec.template} ${spec.samples} ${spec.length} ${spec.seed}`);
  return { kind: "calibrate-task", out: spec.out, tokens: spec.samples * spec.length, elapsedMs: 1 };
}

function startReport({ grams, out }: StartReportJob): JobResult {
  writeFileSync(out, JSON.stringify(fakeStartReport(grams !== null)));
  return { kind: "start-report", out, elapsedMs: 1 };
}

async function init({ spec, emit }: Context<InitJob>): Promise<JobResult> {
  emit({ type: "progress", stage: "Choosing directions", done: 0, total: 1, unit: "layers", ratePerSecond: null, leftMs: null, note: "solver: none, these are fakes" });
  const read = [spec.grams, spec.taskGrams].map((file) => file && readFileSync(file, "utf8"));
  mkdirSync(spec.out, { recursive: true });
  writeFileSync(join(spec.out, "init.json"), JSON.stringify({ rank: spec.rank, read }));
  writeFileSync(join(spec.out, "init.safetensors"), "start");
  return { kind: "init", out: spec.out, modules: 7, parameters: 100, energyShare: spec.grams === null ? null : 0.01, energyExcess: spec.grams === null ? null : 2e-9, solver: spec.grams === null ? null : "solver: CPU (no CUDA libraries found)", elapsedMs: 1 };
}

async function train({ spec, emit, signal, has }: Context<TrainJob>): Promise<JobResult> {
  const steps = spec.steps ?? 10;
  const checkpoints = join(spec.out, "checkpoints");
  mkdirSync(checkpoints, { recursive: true });
  const checkpointOf = (at: number): string => join(checkpoints, `step-${String(at).padStart(8, "0")}.safetensors`);
  let step = 0;
  if (spec.resume) {
    step = Math.max(0, ...readdirSync(checkpoints).map((name) => Number(name.slice(5, 13))));
    if (step > 0) emit({ type: "resumed", step, path: checkpointOf(step), history: null });
  }
  emit({ type: "memory", estimate: fakeMemory, measuredBytes: null });
  emit({ type: "rows", rows: fakeRows(spec) });
  emit({ type: "warning", warning: { what: "2 rows are too long.", where: spec.data, fix: "Raise the length." } });
  const measure = (): boolean => {
    if (spec.retention === null) return true;
    const { floor, limit: questions } = spec.retention;
    const retention = retentionAt(step);
    const isAbove = floor === null || retention >= floor;
    if (step === 0) emit({ type: "retention-base", base: spec.knownBases?.[0] ?? { by: "forward", likelihoods: [{ nats: -2, isGreedy: true }] }, isKnown: spec.knownBases !== undefined });
    emit({ type: "retention", point: { step, retention, low: retention - 0.02, high: retention + 0.02, baseNats: -2, nats: -2 + Math.log(retention), exact: { base: 4, now: 3 }, questions, isAbove, elapsedMs: 5 } });
    return isAbove;
  };
  if (step === 0) measure();
  let isAbove = true;
  while (step < steps && isAbove) {
    await wait(has("slow") ? 20 : 0);
    signal.throwIfAborted();
    step++;
    const marker = join(spec.out, "has-died");
    if (has("dies") && step === 5 && (has("dies-always") || !existsSync(marker))) {
      writeFileSync(marker, "");
      await wait(50);
      process.kill(process.pid, "SIGKILL");
      await wait(10_000);
    }
    const point = { step, lossNats: 1 / step, learningRate: 1e-4, gradNorm: 1, tokens: 10, tokensPerSecond: 100, elapsedMs: 10 };
    emit({ type: "point", point });
    emit({ type: "progress", stage: "Training", done: step, total: steps, unit: "steps", ratePerSecond: 50, leftMs: (steps - step) * 20 });
    if (spec.validation !== null && step % spec.validation.everySteps === 0) {
      emit({ type: "validation", point: { step, lossNats: validationLoss(step), trainedTokens: 20, isBest: step <= bestStep, elapsedMs: 1 } });
    }
    if (step % (spec.retention?.everySteps ?? 1) === 0 || step === steps) isAbove = measure();
    if (step % spec.checkpointEverySteps === 0) {
      const path = checkpointOf(step);
      mkdirSync(path, { recursive: true });
      emit({ type: "checkpoint", step, path });
    }
  }
  const adapter = join(spec.out, "adapter");
  mkdirSync(adapter, { recursive: true });
  writeFileSync(join(adapter, "adapter_config.json"), "{}");
  writeFileSync(join(adapter, "adapter_model.safetensors"), `adapter ${spec.seed} ${steps}`);
  const rows = { kept: 8, dropped: 2, tooLong: 2, empty: 0 };
  const memory = { estimate: fakeMemory, measuredBytes: 1.4e9 };
  emit({ type: "memory", ...memory });
  const at = (evaluated: number) => ({ step: evaluated, lossNats: validationLoss(evaluated) });
  const validation = spec.validation && { rows: 2, best: at(bestStep), last: at(steps), adapterStep: spec.validation.keeps === "best" ? bestStep : steps, hasStoppedEarly: false };
  const aboveStep = spec.retention && !isAbove ? step - spec.retention.everySteps : step;
  const retention = spec.retention && { questions: spec.retention.limit, last: { step, retention: retentionAt(step) }, adapterStep: aboveStep, floor: spec.retention.floor, hasFallenBelow: !isAbove };
  return { kind: "train", out: spec.out, adapter, steps: step, firstLossNats: 1, lastLossNats: 1 / step, trainedTokens: 10 * steps, tokensPerSecond: 100, rows, validation, retention, memory, elapsedMs: 1 };
}

const retentionAt = (step: number) => 1 - step / 50;

/** Falls up to `bestStep`, then rises. */
const bestStep = 4;
const validationLoss = (step: number) => 1 + Math.abs(step - bestStep) / 8;

/** Rows are looked at by the real job: no model is needed. */
async function countRows({ spec, emit, signal }: Context<CountRowsJob>): Promise<JobResult> {
  const { runCountRows } = await import("../../main/engine/jobs/count-rows.ts");
  return runCountRows(spec, emit, signal);
}

async function probe({ spec, emit, signal, has }: Context<ProbeJob>): Promise<JobResult> {
  const questions = spec.limit ?? 4;
  const subjects = spec.adapter === null ? (["base"] as const) : (["base", "tuned"] as const);
  const answered = [...(spec.answered ?? [])];
  for (const answer of spec.known ?? []) {
    if (answer.index >= questions || answered.some(({ index, subject }) => index === answer.index && subject === "base")) continue;
    emit({ type: "answer", isKnown: true, ...answer });
    answered.push(answer);
  }
  for (let index = 0; index < questions; index++) {
    const open = subjects.filter((subject) => !answered.some((answer) => answer.index === index && answer.subject === subject));
    await wait(has("slow") && open.length > 0 ? 20 : 0);
    signal.throwIfAborted();
    for (const subject of open) {
      const isExact = subject === "base" ? index % 2 === 0 : index % 4 === 0;
      emit({ type: "answer", isKnown: false, index, subject, question: `question ${index}`, accepted: ["yes"], prompt: `Q: question ${index}\nA:`, answer: isExact ? "yes" : "no", isExact, isContained: isExact, logLikelihoodNats: -1, measures: {}, verdict: spec.answered?.length ? `after ${spec.answered.length}` : null });
    }
  }
  const measures: Record<string, number> = spec.task === "gsm8k" ? { strict: 0.5, flexible: 0.625 } : {};
  const score = (exact: number) => ({ questions, exactMatch: exact / questions, contains: exact / questions, logLikelihoodNats: -1, measures });
  const [base, tuned] = [Math.ceil(questions / 2), Math.ceil(questions / 4)];
  return { kind: "probe", base: score(base), tuned: spec.adapter === null ? null : score(tuned), lost: base - tuned, gained: 0, questionsPerSecond: 10, elapsedMs: 1 };
}

async function ask({ spec, emit, signal, has }: Context<AskJob>): Promise<JobResult> {
  const words = ["pid ", String(process.pid), " says ", "hello"];
  for (const text of words) {
    for (let column = 0; column < spec.columns.length; column++) {
      await wait(has("slow") ? 50 : 0);
      signal.throwIfAborted();
      emit({ type: "token", column, id: words.indexOf(text), text });
    }
  }
  spec.columns.forEach((_, column) => emit({ type: "column-ended", column, stopped: "eos" }));
  const answers = spec.columns.map(() => ({ text: words.join(""), ids: words.map((_, i) => i), stopped: "eos" as const }));
  return { kind: "ask", prompt: spec.columns[0]?.messages.at(-1)?.content ?? "", answers, tokensPerSecond: 20, elapsedMs: 1 };
}

/** Every token surprises the model in column m by m nats. */
function surprise({ spec }: Context<SurpriseJob>): JobResult {
  const answers = spec.columns.map(({ ids }) => ({ texts: ids.map((id) => ` ${id}`), nats: spec.columns.map((_, m) => ids.map(() => m)) }));
  return { kind: "surprise", answers, elapsedMs: 1 };
}
