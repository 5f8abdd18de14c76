// What validation says about a run: which state was best, and whether to go on. Plain figures that go into checkpoints,
// so a resumed run judges as one that never stopped.
// In: the loss of each evaluation. Out: the best step, and a stop after `patience` evaluations without improvement.

export interface Evaluation {
  /** Optimizer steps finished. */
  step: number;
  lossNats: number;
}

export interface ValidationProgress {
  /** State with the lowest loss so far. */
  best: Evaluation | null;
  last: Evaluation | null;
  /** Loss that the next improvement is measured from. */
  toBeatNats: number | null;
  /** Evaluations since the last improvement. */
  waited: number;
}

export interface Judgement {
  /** Evaluations without improvement that end the run; null: it never ends early. */
  patience: number | null;
  /** Smallest fall of the loss that is an improvement. */
  leastImprovementNats: number;
}

export const notValidated: ValidationProgress = { best: null, last: null, toBeatNats: null, waited: 0 };

/** After an evaluation. The best state is the lowest, by however little; only a fall of `leastImprovementNats` resets the wait. */
export function judge(progress: ValidationProgress, { step, lossNats }: Evaluation, { leastImprovementNats }: Judgement): ValidationProgress {
  const { best, toBeatNats } = progress;
  const isImproved = toBeatNats === null || (lossNats < toBeatNats && toBeatNats - lossNats >= leastImprovementNats);
  return {
    best: best === null || lossNats < best.lossNats ? { step, lossNats } : best,
    last: { step, lossNats },
    toBeatNats: isImproved ? lossNats : toBeatNats,
    waited: isImproved ? 0 : progress.waited + 1,
  };
}

export function isOutOfPatience({ waited }: ValidationProgress, { patience }: Judgement): boolean {
  return patience !== null && waited >= patience;
}
