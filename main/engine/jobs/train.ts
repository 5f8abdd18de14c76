// Training: from a start to an adapter, with checkpoints on the way.
// In: a start folder and a training set. Out: the run's folder: checkpoints/, start/ and adapter/ (PEFT).
// All that a step depends on follows from the settings, the step number and the checkpoint, so a resumed run equals one
// that never stopped.

import { cpSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { setImmediate as yieldToMessages } from "node:timers/promises";
import { openCheckpoint } from "../../../native-models/checkpoint/checkpoint.ts";
import type { Checkpoint } from "../../../native-models/checkpoint/types.ts";
import { UserError } from "../../../native-models/errors.ts";
import { buildTrainProgram } from "../../../native-models/programs/train-program.ts";
import { readStart, requireStartOf, type StoredStart } from "../../../native-models/starts/start-folder.ts";
import type { AdamWSettings } from "../../../native-models/programs/adamw-program.ts";
import { listCheckpoints, loadCheckpoint, saveCheckpoint, type RunFigures } from "../../../native-models/training/checkpoint-file.ts";
import { exportAdapter } from "../../../native-models/training/export-adapter.ts";
import { learningRateAt } from "../../../native-models/training/schedule.ts";
import { createState } from "../../../native-models/training/state.ts";
import { createTrainer } from "../../../native-models/training/trainer.ts";
import type { Emit } from "../events.ts";
import type { TrainJob, TrainResult } from "../jobs.ts";
import { adapterCard } from "./adapter-card.ts";
import { pathHash } from "./file-hash.ts";
import { trackProgress } from "./progress.ts";
import { openTrainingRows, type TrainingRows } from "./training-rows.ts";

export async function runTrain(spec: TrainJob, emit: Emit, signal: AbortSignal): Promise<TrainResult> {
  const started = performance.now();
  const checkpoint = openCheckpoint(spec.model);
  const start = readStart(spec.init);
  requireStartOf(start, checkpoint.fingerprint);
  const data = await openTrainingRows(spec, emit, signal);
  try {
    const run = await openRun(spec, checkpoint, start, data);
    const figures = await trainSteps(spec, run, data, emit, signal);
    const { state } = run;
    const adapter = join(spec.out, "adapter");
    const cardText = adapterCard(spec, start.info, data, figures, state.step);
    exportAdapter({ folder: adapter, config: checkpoint.config, baseModelName: spec.model, rank: start.info.rank, kind: run.kind, state, start: run.startTensor, cardText });
    return {
      kind: "train",
      out: spec.out,
      adapter,
      steps: state.step,
      firstLossNats: figures.firstLossNats ?? Number.NaN,
      lastLossNats: figures.lastLossNats ?? Number.NaN,
      trainedTokens: figures.trainedTokens,
      tokensPerSecond: rateOf(figures.tokens, figures.stepMs),
      rows: data.counts,
      elapsedMs: performance.now() - started,
    };
  } finally {
    await data.close();
  }
}

type Run = Awaited<ReturnType<typeof openRun>>;

async function openRun(spec: TrainJob, checkpoint: Checkpoint, start: StoredStart, data: TrainingRows) {
  const { kind, rank } = start.info;
  const compiled = buildTrainProgram(checkpoint, { rank, kind, maxLength: data.longest });
  const startTensor = (name: string): Float32Array => {
    const dot = name.lastIndexOf(".");
    return start.read(name.slice(0, dot))[name.slice(dot + 1).startsWith("A") ? "a" : "b"];
  };
  const state = createState(compiled.trainable, startTensor);
  const optimizer: AdamWSettings = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: spec.weightDecay, clipNorm: spec.clipNorm };
  const settings = settingsOf(spec, checkpoint, start, await pathHash(join(start.folder, "start.safetensors")), data);
  const checkpoints = join(spec.out, "checkpoints");
  mkdirSync(checkpoints, { recursive: true });
  if (!spec.resume) refuseLeftovers(checkpoints);
  const resumed = spec.resume ? loadCheckpoint(checkpoints, state, settings) : null;
  keepStart(start.folder, join(spec.out, "start"));
  const trainer = await createTrainer({ checkpoint, compiled, fixed: startTensor, state, optimizer });
  return { kind, state, trainer, settings, checkpoints, resumed, startTensor };
}

async function trainSteps(spec: TrainJob, run: Run, data: TrainingRows, emit: Emit, signal: AbortSignal): Promise<RunFigures> {
  const { state, trainer, resumed } = run;
  const figures: RunFigures = resumed?.figures ?? { firstLossNats: null, lastLossNats: null, trainedTokens: 0, tokens: 0, stepMs: 0 };
  const schedule = { peak: spec.learningRate, steps: data.steps, warmupRatio: spec.warmupRatio };
  let savedAt = state.step;
  const save = (): void => {
    if (savedAt === state.step) return;
    const saved = saveCheckpoint(run.checkpoints, state, run.settings, figures);
    savedAt = state.step;
    emit({ type: "checkpoint", ...saved });
  };
  if (resumed) emit({ type: "resumed", step: resumed.step, path: resumed.path });
  const report = trackProgress({ emit, stage: "Training", unit: "steps", total: data.steps, from: state.step });

  while (state.step < data.steps) {
    if (signal.aborted) {
      save(); // nothing of the work is lost
      signal.throwIfAborted();
    }
    const step = state.step;
    const { rows, numbers } = await data.windowOf(step);
    const learningRate = learningRateAt(schedule, step);
    const stepStarted = performance.now();
    const result = await trainer.step(rows, learningRate);
    const elapsedMs = performance.now() - stepStarted;
    if (!Number.isFinite(result.lossNats) || !Number.isFinite(result.gradNorm)) throw diverged(spec, run, step, numbers, result);
    figures.firstLossNats ??= result.lossNats;
    figures.lastLossNats = result.lossNats;
    figures.trainedTokens += result.trainedTokens;
    figures.tokens += result.tokens;
    figures.stepMs += elapsedMs;
    const { lossNats, gradNorm, tokens } = result;
    emit({ type: "point", point: { step: state.step, lossNats, learningRate, gradNorm, tokens, tokensPerSecond: rateOf(tokens, elapsedMs), elapsedMs: figures.stepMs } });
    if (state.step % spec.checkpointEverySteps === 0) save();
    report(state.step);
    await yieldToMessages();
  }
  save();
  return figures;
}

function rateOf(tokens: number, elapsedMs: number): number {
  return elapsedMs > 0 ? (tokens / elapsedMs) * 1000 : 0;
}

/** What must be the same for a checkpoint to be gone on from. */
function settingsOf(spec: TrainJob, checkpoint: Checkpoint, start: StoredStart, startHash: string, data: TrainingRows): Record<string, unknown> {
  const { template, steps, epochs, batch, accumulate, length, learningRate, warmupRatio, clipNorm, weightDecay, seed } = spec;
  const { method, rank } = start.info;
  return { model: checkpoint.fingerprint, start: startHash, method, rank, data: data.hash, template, steps, epochs, batch, accumulate, length, learningRate, warmupRatio, clipNorm, weightDecay, seed };
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

function diverged(spec: TrainJob, run: Run, step: number, rows: readonly number[], { lossNats, gradNorm }: { lossNats: number; gradNorm: number }): UserError {
  const [newest] = listCheckpoints(run.checkpoints);
  const shown = rows.slice(0, 20).map((row) => row + 1);
  return new UserError({
    what: `Training diverged at step ${step + 1}: loss ${lossNats}, gradient norm ${gradNorm}. Rows of that step: ${shown.join(", ")}${rows.length > 20 ? ", …" : ""}.`,
    where: spec.out,
    fix: `Start again with a lower learning rate than ${spec.learningRate}. ${newest ? `The last good checkpoint is ${newest.path}.` : "No checkpoint had been written yet."}`,
  });
}
