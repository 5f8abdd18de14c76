// The steps of a training: each one's rows, update, point, evaluation, retention and checkpoint, in an order that a resumed
// run repeats. In: an opened run. Out: its figures; the state is changed in place.

import { setImmediate as yieldToMessages } from "node:timers/promises";
import { keepState, noFigures, saveCheckpoint, type RunFigures } from "../../../native-models/training/checkpoint-file.ts";
import { remember, whyBroken } from "../../../native-models/training/loss-guard.ts";
import { learningRateAt } from "../../../native-models/training/schedule.ts";
import type { TrainState } from "../../../native-models/training/state.ts";
import type { Trainer } from "../../../native-models/training/trainer.ts";
import { isOutOfPatience, judge, notValidated } from "../../../native-models/training/validation.ts";
import type { ValidatesBy, Validator } from "../../../native-models/training/validator.ts";
import type { Emit } from "../events.ts";
import type { TrainJob, ValidationSettings } from "../train-jobs.ts";
import { diverged } from "./diverged.ts";
import type { FolderHold } from "./hold-folder.ts";
import { hasForgotten, isRetentionDue, measureRetention, type OpenedRetention } from "./measure-retention.ts";
import { trackProgress } from "./progress.ts";
import { recordHistory } from "./run-history.ts";
import type { TrainingRows, ValidationRows } from "./training-rows.ts";

export interface OpenedRun {
  spec: TrainJob;
  data: TrainingRows;
  state: TrainState;
  trainer: Trainer;
  /** The run's folder is this training's. */
  hold: FolderHold;
  /** Folder of checkpoints, and the settings that they belong to. */
  checkpoints: string;
  settings: Record<string, unknown>;
  /** Checkpoint that the run goes on from. */
  resumed: { step: number; path: string; figures: RunFigures; history: string | null } | null;
  /** Loss of a uniform guess: ln(vocabulary). */
  uniformNats: number;
  validation: { settings: ValidationSettings; rows: ValidationRows; validator: Validator; by: ValidatesBy } | null;
  retention: OpenedRetention | null;
}

export async function trainSteps(run: OpenedRun, listener: Emit, signal: AbortSignal): Promise<RunFigures> {
  const { spec, data, state, trainer, resumed, validation } = run;
  const history = recordHistory(listener, resumed?.history ?? null);
  const { emit } = history;
  const figures: RunFigures = resumed?.figures ?? { ...noFigures };
  if (validation) figures.validation ??= { by: validation.by, progress: notValidated };
  const schedule = { peak: spec.learningRate, steps: data.steps, warmupRatio: spec.warmupRatio };
  let savedAt = state.step;
  const save = (): void => {
    if (savedAt === state.step) return;
    run.hold.requireHeld();
    const saved = saveCheckpoint(run.checkpoints, state, run.settings, figures, history.text());
    savedAt = state.step;
    emit({ type: "checkpoint", ...saved });
  };
  const stopIfAsked = (): void => {
    if (!signal.aborted) return;
    save(); // nothing of the work is lost
    signal.throwIfAborted();
  };
  if (resumed) emit({ type: "resumed", step: resumed.step, path: resumed.path, history: history.earlier });
  const report = trackProgress({ emit, stage: "Training", unit: "steps", total: data.steps, from: state.step });

  const stoppable = async (judge: typeof evaluate): Promise<void> => {
    try {
      await judge(run, figures, emit, signal);
    } catch (error) {
      if (signal.aborted) stopIfAsked();
      throw error;
    }
  };

  for (;;) {
    stopIfAsked();
    // A checkpoint is written after the evaluation of its step, so that it knows what was said. One that was written
    // because the run was stopped may lack it: then it is made up for here.
    if (isEvaluationDue(run, figures)) await stoppable(evaluate);
    const isLast = state.step >= data.steps || hasStoppedEarly(run, figures);
    if (isRetentionDue(run, figures, isLast)) await stoppable(measureRetention);
    if (state.step % spec.checkpointEverySteps === 0) save();
    if (isLast || hasForgotten(run, figures)) break;

    const step = state.step;
    const { rows, numbers } = await data.windowOf(step);
    const learningRate = learningRateAt(schedule, step);
    const stepStarted = performance.now();
    const { lossNats, gradNorm, tokens, trainedTokens } = await trainer.step(rows, learningRate);
    const elapsedMs = performance.now() - stepStarted;
    const reason = whyBroken(lossNats, gradNorm, figures.recentLossesNats, run.uniformNats);
    if (reason !== null) throw diverged(run, `Training diverged at step ${step + 1}: ${reason}. ${listRows(numbers)}`);
    figures.firstLossNats ??= lossNats;
    figures.lastLossNats = lossNats;
    figures.recentLossesNats = remember(figures.recentLossesNats, lossNats);
    figures.trainedTokens += trainedTokens;
    figures.tokens += tokens;
    figures.stepMs += elapsedMs;
    emit({ type: "point", point: { step: state.step, lossNats, learningRate, gradNorm, tokens, tokensPerSecond: rateOf(tokens, elapsedMs), elapsedMs: figures.stepMs } });
    report(state.step);
    await yieldToMessages();
  }
  save();
  return figures;
}

/** Whether patience has ended the run. */
export function hasStoppedEarly({ validation }: Pick<OpenedRun, "validation">, figures: RunFigures): boolean {
  return validation !== null && figures.validation !== null && isOutOfPatience(figures.validation.progress, validation.settings);
}

function isEvaluationDue({ validation, state, data }: OpenedRun, figures: RunFigures): boolean {
  if (validation === null || figures.validation === null || state.step === 0) return false;
  return (figures.validation.progress.last?.step ?? 0) < state.step && (state.step % validation.settings.everySteps === 0 || state.step >= data.steps);
}

async function evaluate(run: OpenedRun, figures: RunFigures, emit: Emit, signal: AbortSignal): Promise<void> {
  const { validation, state } = run;
  if (validation === null || figures.validation === null) return;
  const started = performance.now();
  const stoppable = async function* () {
    for await (const batch of validation.rows.microBatches()) {
      signal.throwIfAborted();
      yield batch;
    }
  };
  const { lossNats, trainedTokens } = await validation.validator.evaluate(stoppable());
  if (!Number.isFinite(lossNats)) throw diverged(run, `Training diverged at step ${state.step} or before: the validation loss is ${lossNats}.`);
  const progress = judge(figures.validation.progress, { step: state.step, lossNats }, validation.settings);
  const isBest = progress.best?.step === state.step;
  if (isBest) {
    run.hold.requireHeld();
    keepState(run.checkpoints, "best", state, lossNats);
  }
  figures.validation = { ...figures.validation, progress };
  emit({ type: "validation", point: { step: state.step, lossNats, trainedTokens, isBest, elapsedMs: performance.now() - started } });
}

export function rateOf(tokens: number, elapsedMs: number): number {
  return elapsedMs > 0 ? (tokens / elapsedMs) * 1000 : 0;
}

function listRows(rows: readonly number[]): string {
  const shown = rows.slice(0, 20).map((row) => row + 1);
  return `Rows of that step: ${shown.join(", ")}${rows.length > 20 ? ", …" : ""}.`;
}
