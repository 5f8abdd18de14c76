// Model folders as services give them back.

import type { TensorDtype } from "../../../native-models/checkpoint/types.ts";
import type { ErrorParts } from "../../../native-models/errors.ts";
import type { ProgressEvent } from "../../engine/events.ts";

/** A model folder, read from its headers only. `problem` is null when it can be trained. */
export interface ModelSummary {
  path: string;
  name: string;
  /** Watched folder it was found in; null when scanned by hand. */
  folderId: number | null;
  /** Null in all the fields below when the folder is not usable. */
  modelType: string | null;
  parameters: number | null;
  sizeBytes: number | null;
  dtype: TensorDtype | "mixed" | null;
  layers: number | null;
  hidden: number | null;
  vocabulary: number | null;
  contextTokens: number | null;
  hasChatTemplate: boolean;
  fingerprint: string | null;
  problem: ErrorParts | null;
  /** When this app first and last saw it. */
  firstSeenMs: number;
  lastSeenMs: number;
}

export interface WatchedFolder {
  id: number;
  path: string;
  addedMs: number;
  /** False while the disk is unplugged or the folder was moved. */
  isThere: boolean;
}

/** Everything the models page shows. `models.follow` gives a new one whenever something changed. */
export interface ModelsView {
  folders: WatchedFolder[];
  models: ModelSummary[];
  /** A scan is under way. */
  isScanning: boolean;
}

/** Fetching the sample model; `model` at the end, in a folder that is watched from then on. */
export type SampleModelEvent = { type: "progress"; progress: ProgressEvent } | { type: "done"; model: ModelSummary; source: "present" | "hub" | "pip" };
