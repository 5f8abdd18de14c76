// Learning rate over optimizer steps: linear warm-up, then cosine to zero.

export interface Schedule {
  peak: number;
  steps: number;
  /** Share of the steps that warm up; the number of warm-up steps is rounded up. */
  warmupRatio: number;
}

/** Learning rate of step `step` (from 0): (s+1)/warm while warming up, then ½(1 + cos π(s−warm)/(steps−warm)). */
export function learningRateAt({ peak, steps, warmupRatio }: Schedule, step: number): number {
  const warm = Math.ceil(warmupRatio * steps);
  if (step < warm) return (peak * (step + 1)) / warm;
  return peak * 0.5 * (1 + Math.cos((Math.PI * (step - warm)) / (steps - warm)));
}
