// Looks at data files as services give them back.

import type { LengthHistogram } from "../../../native-models/data/histogram.ts";
import type { RowsAccount } from "../../../native-models/data/row-tally.ts";
import type { ErrorParts } from "../../../native-models/errors.ts";
import type { ProgressEvent } from "../../engine/events.ts";
import type { RowsHead } from "../../engine/job-results.ts";

export type Histogram = LengthHistogram;

/** A look at training rows: the head at once, the counts as they grow, and "done" at the end. Leaving it stops the count. */
export type RowsPreviewEvent =
  | { type: "head"; head: RowsHead }
  | { type: "progress"; progress: ProgressEvent }
  /** What became of the rows so far. */
  | { type: "counts"; account: RowsAccount }
  /** Account null: the format is unknown or a row does not fit it (the head says why). Refusal: why the run would not start. */
  | { type: "done"; account: RowsAccount | null; refusal: ErrorParts | null };

export interface QuestionsPreview {
  path: string;
  total: number;
  withAnswers: number;
  /** Tokens of all questions joined, as calibration reads them; null when no model was given. */
  totalTokens: number | null;
  histogram: Histogram | null;
  questions: { index: number; question: string; answers: string[] }[];
}
