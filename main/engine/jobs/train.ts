// Training: from a start to an adapter, with checkpoints on the way.
// In: a start folder and a training set. Out: the run's folder: checkpoints/, start/ and adapter/ (PEFT).
// All that a step depends on follows from the settings, the step number and the checkpoint, so a resumed run equals one
// that never stopped.

import { cpSync } from "node:fs";
import { join, resolve } from "node:path";
import { openCheckpoint } from "../../../native-models/checkpoint/checkpoint.ts";
import { requireFreeSpace } from "../../../native-models/checkpoint/file-bytes.ts";
import type { Checkpoint } from "../../../native-models/checkpoint/types.ts";
import { UserError } from "../../../native-models/errors.ts";
import { readStart, requireStartOf, type StoredStart } from "../../../native-models/starts/start-folder.ts";
import type { AdamWSettings } from "../../../native-models/programs/adamw-program.ts";
import { checkpointsBytes, listCheckpoints, loadCheckpoint, loadKept, type RunFigures } from "../../../native-models/training/checkpoint-file.ts";
import { exportAdapter } from "../../../native-models/training/export-adapter.ts";
import { evaluatedLength, planMemory, requireFits, type MemoryPlan } from "../../../native-models/training/memory-plan.ts";
import { createState } from "../../../native-models/training/state.ts";
import { createTrainer } from "../../../native-models/training/trainer.ts";
import { createValidator, type ValidatesBy } from "../../../native-models/training/validator.ts";
import type { Emit } from "../events.ts";
import type { TrainJob } from "../train-jobs.ts";
import type { TrainResult } from "../job-results.ts";
import { adapterCard } from "./adapter-card.ts";
import { pathHash } from "../file-hash.ts";
import { folderHold, type FolderHold } from "./hold-folder.ts";
import { availableBytes, peakBytes } from "./memory.ts";
import { hasForgotten } from "./measure-retention.ts";
import { hasStoppedEarly, rateOf, trainSteps, type OpenedRun } from "./train-steps.ts";
import { openTrainingRows, type TrainingRows } from "./training-rows.ts";

export async function runTrain(spec: TrainJob, emit: Emit, signal: AbortSignal): Promise<TrainResult> {
  const started = performance.now();
  const checkpoint = openCheckpoint(spec.model);
  const start = readStart(spec.init);
  requireStartOf(start, checkpoint.fingerprint);
  const data = await openTrainingRows(spec, checkpoint.config.maxPositions, emit, signal);
  const hold = folderHold(join(spec.out, "checkpoints"));
  try {
    const { run, memory, startTensor } = await openRun(spec, checkpoint, start, data, hold);
    emit({ type: "memory", estimate: memory, measuredBytes: null });
    try {
      const figures = await trainSteps(run, emit, signal);
      const adapter = join(spec.out, "adapter");
      const { step, parameters } = adapterState(run, figures);
      const validation = validationResult(run, figures, step);
      const retention = retentionResult(run, figures, step);
      const cardText = adapterCard({ spec, start: start.info, report: data.report, template: data.template, figures, steps: run.state.step, validation, retention });
      run.hold.requireHeld();
      exportAdapter({ folder: adapter, config: checkpoint.config, baseModelName: spec.model, rank: start.info.rank, kind: start.info.kind, state: { ...run.state, parameters }, start: startTensor, cardText, notes: data.template });
      return {
        kind: "train",
        out: spec.out,
        adapter,
        steps: run.state.step,
        firstLossNats: figures.firstLossNats ?? Number.NaN,
        lastLossNats: figures.lastLossNats ?? Number.NaN,
        trainedTokens: figures.trainedTokens,
        tokensPerSecond: rateOf(figures.tokens, figures.stepMs),
        rows: data.counts,
        validation,
        retention,
        memory: { estimate: memory, measuredBytes: peakBytes() },
        elapsedMs: performance.now() - started,
      };
    } finally {
      emit({ type: "memory", estimate: memory, measuredBytes: peakBytes() });
    }
  } finally {
    hold.release();
    await data.close();
  }
}

async function openRun(spec: TrainJob, checkpoint: Checkpoint, start: StoredStart, data: TrainingRows, hold: FolderHold) {
  const { kind, rank } = start.info;
  const startTensor = (name: string): Float32Array => {
    const dot = name.lastIndexOf(".");
    return start.factor(name.slice(0, dot), name.startsWith("A", dot + 1) ? "A" : "B"); // A0 and B0 are the start's A and B
  };
  const optimizer: AdamWSettings = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: spec.weightDecay, clipNorm: spec.clipNorm };
  const { batch, accumulate, recomputed } = spec;
  const free = availableBytes(spec.memoryBytes);
  const plan = (validatesBy: ValidatesBy | null) => planMemory({ checkpoint, rank, kind, optimizer, batch, accumulate, length: data.longest, rows: data.sizes, recomputed, validatesBy, availableBytes: free });
  let memory = plan(null);
  const state = createState(memory.compiled.trainable, startTensor);
  const settings = settingsOf(spec, checkpoint, start, await pathHash(join(start.folder, "start.safetensors")), data);
  const checkpoints = join(spec.out, "checkpoints");
  if (spec.resume) hold.take();
  else refuseLeftovers(checkpoints);
  const resumed = spec.resume ? loadCheckpoint(checkpoints, state, settings) : null;
  const validatedBy = resumed?.figures.validation?.by ?? resumed?.figures.retention?.by ?? null;
  if (validatedBy !== null && validatedBy !== memory.plan.validatesBy) memory = plan(validatedBy);
  requireFits(memory.plan, "train: memory");
  const keptStates = (spec.validation === null ? 0 : 1) + (spec.retention?.floor == null ? 0 : 1);
  if (!resumed) requireFreeSpace(spec.out, runBytes(state.parameters.length, memory.compiled.fixed, keptStates));
  if (!spec.resume) hold.take();
  keepStart(start.folder, join(spec.out, "start"));
  const trainer = await createTrainer({ checkpoint, compiled: memory.compiled, fixed: startTensor, state, optimizer });
  const by = memory.plan.validatesBy;
  const judge = by && { by, validator: await createValidator({ checkpoint, trainer, by, rank, kind, maxLength: evaluatedLength(data.longest, data.sizes), tellsTokens: spec.retention !== null }) };
  const validation: OpenedRun["validation"] = spec.validation && data.validation && judge && { settings: spec.validation, rows: data.validation, ...judge };
  const retention: OpenedRun["retention"] = spec.retention && data.retention && judge && { settings: spec.retention, rows: data.retention, ...judge };
  const run: OpenedRun = { spec, data, state, trainer, hold, checkpoints, settings, resumed, uniformNats: Math.log(checkpoint.config.vocabulary), validation, retention };
  return { run, memory: memory.plan satisfies MemoryPlan, startTensor };
}

/** The state that the adapter is made from: the best one, or the last; of a run that forgot too much, one from before it did. */
function adapterState(run: OpenedRun, figures: RunFigures): { step: number; parameters: Float32Array } {
  const { spec, state, checkpoints } = run;
  const last = hasForgotten(run, figures) ? figures.retention!.above.step : state.step;
  const best = spec.validation?.keeps === "best" ? (figures.validation?.progress.best ?? null) : null;
  if (best !== null && best.step < last) return { step: best.step, parameters: loadKept(checkpoints, "best", best.step) };
  return { step: last, parameters: last === state.step ? state.parameters : loadKept(checkpoints, "retained", last) };
}

function retentionResult(run: OpenedRun, figures: RunFigures, adapterStep: number): TrainResult["retention"] {
  if (run.retention === null || figures.retention === null) return null;
  const { rows, settings } = run.retention;
  return { questions: rows.count, last: figures.retention.last, adapterStep, floor: settings.floor, hasFallenBelow: hasForgotten(run, figures) };
}

function validationResult(run: OpenedRun, figures: RunFigures, adapterStep: number): TrainResult["validation"] {
  const { best, last } = figures.validation?.progress ?? { best: null, last: null };
  if (run.validation === null || best === null || last === null) return null;
  return { rows: run.validation.rows.count, best, last, adapterStep, hasStoppedEarly: hasStoppedEarly(run, figures) };
}

/** Bytes that a run's folder takes: checkpoints, the start, and an adapter of up to twice the rank. */
function runBytes(parameters: number, fixed: readonly { shape: readonly [number, number] }[], keptStates: number): number {
  const all = fixed.reduce((sum, { shape }) => sum + shape[0] * shape[1], parameters);
  return checkpointsBytes(parameters, keptStates) + 4 * all + 8 * all;
}

/** What must be the same for a checkpoint to be gone on from. */
function settingsOf(spec: TrainJob, checkpoint: Checkpoint, start: StoredStart, startHash: string, data: TrainingRows): Record<string, unknown> {
  const { template, steps, epochs, batch, accumulate, length, learningRate, warmupRatio, clipNorm, weightDecay, seed } = spec;
  const { method, rank } = start.info;
  const { overLong, format, split } = data.report;
  const rows = { template, templateText: data.template.templateText, mapping: format.mapping, split, overLong };
  const validation = spec.validation && { ...spec.validation, from: data.validation?.hash ?? spec.validation.from };
  const retention = spec.retention && { ...spec.retention, questions: data.retention?.hash ?? spec.retention.questions };
  return { model: checkpoint.fingerprint, start: startHash, method, rank, data: data.hash, ...rows, steps, epochs, batch, accumulate, length, learningRate, warmupRatio, clipNorm, weightDecay, validation, retention, seed };
}

/** The start stays beside the run it belongs to; a run may also go on from that copy. */
function keepStart(from: string, to: string): void {
  if (resolve(from) !== resolve(to)) cpSync(from, to, { recursive: true });
}

function refuseLeftovers(checkpoints: string): void {
  const [newest] = listCheckpoints(checkpoints);
  if (!newest) return;
  throw new UserError({
    what: `The folder holds a run already, at step ${newest.step}.`,
    where: checkpoints,
    fix: "Resume that run with --resume, or choose another --out folder.",
  });
}
