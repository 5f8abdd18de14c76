// The probe that rides along in training: when it is due, what it measures, and what follows from it.
// In: an opened run. Out: one point a measurement, and the figures that go into checkpoints. It draws no random number and
// changes no parameter, so a run trains to the same bits with and without it.

import { keepState, keptPath, type RunFigures } from "../../../native-models/training/checkpoint-file.ts";
import { follow, hasFallen, retentionOf, type AnswerLikelihood } from "../../../native-models/training/retention.ts";
import type { TrainRow } from "../../../native-models/programs/train-program.ts";
import { UserError } from "../../../native-models/errors.ts";
import type { ValidatesBy, Validator } from "../../../native-models/training/validator.ts";
import type { Emit } from "../events.ts";
import type { RetentionSettings } from "../train-jobs.ts";
import { diverged } from "./diverged.ts";
import { trackProgress } from "./progress.ts";
import type { RetentionRows } from "./retention-rows.ts";
import type { OpenedRun } from "./train-steps.ts";

export interface OpenedRetention {
  settings: RetentionSettings;
  rows: RetentionRows;
  validator: Validator;
  by: ValidatesBy;
}

/** Before the first step, every so many steps, and in the end, whatever ends the run. */
export function isRetentionDue({ retention, state }: OpenedRun, figures: RunFigures, isLast: boolean): boolean {
  if (retention === null || figures.retention?.last.step === state.step) return false;
  return figures.retention === null || isLast || state.step % retention.settings.everySteps === 0;
}

/** Whether retention has ended the run. */
export function hasForgotten({ retention }: Pick<OpenedRun, "retention">, figures: RunFigures): boolean {
  return retention !== null && figures.retention !== null && hasFallen(figures.retention, retention.settings.floor);
}

export async function measureRetention(run: OpenedRun, figures: RunFigures, emit: Emit, signal: AbortSignal): Promise<void> {
  const { retention, state } = run;
  if (retention === null) return;
  const { settings, by } = retention;
  const { floor } = settings;
  const started = performance.now();
  const isFirst = figures.retention === null;
  const known = isFirst ? (run.spec.knownBases ?? []).find((each) => each.by === by && each.likelihoods.length === retention.rows.count) : undefined;
  const now = known?.likelihoods ?? (await likelihoods(retention, isFirst ? emit : null, signal));
  if (now.some(({ nats }) => !Number.isFinite(nats))) throw diverged(run, `Training diverged at step ${state.step} or before: the likelihood of a right answer is not a number.`);
  const base = figures.retention?.base ?? now; // an adapter starts as the base
  const measured = retentionOf(base, now);
  const at = { step: state.step, retention: measured.retention };
  const progress = follow(figures.retention ?? { by, base, last: at, above: at }, at, floor);
  const isAbove = progress.above === at;
  if (floor !== null && isAbove && state.step > 0) {
    run.hold.requireHeld();
    keepState(run.checkpoints, "retained", state, at.retention);
  }
  if (isFirst) emit({ type: "retention-base", base: { by, likelihoods: now }, isKnown: known !== undefined });
  emit({ type: "retention", point: { step: state.step, ...measured, questions: now.length, isAbove, elapsedMs: performance.now() - started } });
  if (!isAbove && progress.above.step === 0) throw forgottenAtOnce(run, at.retention, floor!);
  figures.retention = progress;
  if (!isAbove) emit({ type: "warning", warning: fallen(run, figures.retention.above.step, at.retention, floor!) });
}

async function likelihoods({ rows, validator, by }: OpenedRetention, emit: Emit | null, signal: AbortSignal): Promise<AnswerLikelihood[]> {
  const report = emit && trackProgress({ emit, stage: "Measuring what the base knows", unit: "questions", total: rows.count });
  const stoppable = function* (): Generator<TrainRow[]> {
    let done = 0;
    for (const batch of rows.microBatches(by)) {
      signal.throwIfAborted();
      yield batch;
      report?.((done += batch.length));
    }
  };
  return validator.likelihoods(stoppable());
}

function fallen({ state, checkpoints, spec }: OpenedRun, aboveStep: number, retention: number, floor: number) {
  return {
    what: `Training stopped at step ${state.step}: retention fell to ${percent(retention)}, below the floor of ${percent(floor)}. The last state above it is that of step ${aboveStep}, kept as ${keptPath(checkpoints, "retained", aboveStep)}.`,
    where: "train: retention.floor",
    fix: `To learn more before that, lower the learning rate of ${spec.learningRate}, or the floor.`,
  };
}

function forgottenAtOnce({ state, spec }: OpenedRun, retention: number, floor: number): UserError {
  return new UserError({
    what: `Retention fell to ${percent(retention)}, below the floor of ${percent(floor)}, by step ${state.step}: the first time that it was measured, so there is no earlier state to keep.`,
    where: "train: retention.floor",
    fix: `Measure more often than every ${spec.retention!.everySteps} steps, or lower the learning rate of ${spec.learningRate}, or the floor.`,
  });
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
