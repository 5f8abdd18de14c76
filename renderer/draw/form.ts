// What a run's settings come to: steps, and which field a schema's complaint belongs to.

export interface StepPlan {
  rowsPerStep: number;
  stepsPerEpoch: number;
  steps: number;
  epochs: number;
}

/** As the trainer counts: steps of batch × accumulate rows; the last step of an epoch-bound run may have fewer. */
export function planSteps(s: { keptRows: number; batch: number; accumulate: number; steps: number | null; epochs: number | null }): StepPlan {
  const rowsPerStep = s.batch * s.accumulate;
  const stepsPerEpoch = Math.ceil(s.keptRows / rowsPerStep);
  const steps = s.steps ?? Math.ceil(Math.round((s.epochs ?? 1) * s.keptRows) / rowsPerStep);
  const epochs = s.steps === null ? (s.epochs ?? 1) : s.keptRows === 0 ? 0 : (s.steps * rowsPerStep) / s.keptRows;
  return { rowsPerStep, stepsPerEpoch, steps, epochs };
}

interface Issue {
  path: PropertyKey[];
  message: string;
}

/** First complaint a field, by its dotted name: "probe.limit". */
export function issuesByField(issues: readonly Issue[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { path, message } of issues) found[path.map(String).join(".")] ??= inWords(message);
  return found;
}

/** A field that was emptied is null to the schema. */
function inWords(message: string): string {
  return /expected (number|int), received null/.test(message) ? "Needs a number." : message;
}
