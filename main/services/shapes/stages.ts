// Events of a stage that is run alone.

import type { ErrorParts } from "../../../native-models/errors.ts";
import type { StartReport } from "../../../native-models/starts/report.ts";
import type { ProgressEvent } from "../../engine/events.ts";
import type { CalibrateResult, CalibrateTaskResult, InitResult } from "../../engine/job-results.ts";

export type StageEvent<R> =
  | { type: "progress"; progress: ProgressEvent }
  | { type: "warning"; warning: ErrorParts }
  | { type: "done"; result: R; isReused: boolean };

export type CalibrateEvent = StageEvent<CalibrateResult>;
/** Leaving the stream cancels it. */
export type StartReportEvent = { type: "progress"; progress: ProgressEvent } | { type: "done"; report: StartReport };
export type CalibrateTaskEvent = StageEvent<CalibrateTaskResult>;
export type InitEvent = StageEvent<InitResult>;
