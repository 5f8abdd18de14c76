// The micro-batches of a run that may take the most memory: by tokens, by the area of attention, by trained tokens.

export interface RowSize {
  tokens: number;
  trained: number;
  /** Tokens that all rows of the run begin with. */
  shared: number;
}

/** Steps looked at; a run of more repeats rows so often that its heaviest micro-batch is all but surely among them. */
const stepsLookedAt = 20_000;

/** Up to three candidates, among them the heaviest of the run. `windowOf` gives the positions of a step's micro-batches. */
export function heaviestMicroBatches(steps: number, windowOf: (step: number) => readonly (readonly number[])[], sizeOf: (position: number) => RowSize): RowSize[][] {
  const microBatches = function* () {
    for (let step = 0; step < Math.min(steps, stepsLookedAt); step++) yield* windowOf(step);
  };
  return heaviestOf(microBatches(), sizeOf);
}

export function heaviestOf(microBatches: Iterable<readonly number[]>, sizeOf: (position: number) => RowSize): RowSize[][] {
  const measures: ((rows: readonly RowSize[]) => number)[] = [
    (rows) => rows.reduce((sum, { tokens }) => sum + tokens, 0),
    (rows) => rows.length * Math.max(...rows.map(({ tokens }) => tokens)) ** 2,
    (rows) => rows.reduce((sum, { trained }) => sum + trained, 0),
  ];
  const most = measures.map(() => ({ size: -1, rows: [] as RowSize[] }));
  for (const positions of microBatches) {
    const rows = positions.map(sizeOf);
    measures.forEach((measure, i) => {
      const size = measure(rows);
      if (size > most[i]!.size) most[i] = { size, rows };
    });
  }
  return [...new Set(most.map(({ rows }) => rows))].filter((rows) => rows.length > 0);
}
