// Reading that is quick enough for the app's own process: model headers, tokenizers, the beginning of data files. It stands between
// services and native-models, so that a test can give small fakes in its place. Long work is a job instead.

import { findChatTemplate } from "../../native-models/checkpoint/chat-template.ts";
import { describeFolder, looksLikeModel, type FolderDescription } from "../../native-models/checkpoint/checkpoint.ts";
import { readJsonFile } from "../../native-models/checkpoint/file-bytes.ts";
import { openTokenizer } from "../../native-models/checkpoint/tokenizer.ts";
import type { Tokenizer } from "../../native-models/checkpoint/types.ts";
import { readAdapterNotes, type AdapterNotes } from "../../native-models/adapter/adapter-notes.ts";
import { alpacaPrompt } from "../../native-models/data/alpaca.ts";
import { histogramOf } from "../../native-models/data/histogram.ts";
import { readQuestions, type Question } from "../../native-models/data/questions.ts";
import { inspectRows } from "../../native-models/data/rows/inspect.ts";
import { readTask } from "../../native-models/probe/read-task.ts";
import { taskOf } from "../../native-models/probe/tasks.ts";
import { isWorthIt, readMeasured, type MeasuredWidth } from "../../native-models/quantised/measured.ts";
import { roundingVersions, type Width } from "../../native-models/quantised/places.ts";
import { checkpointNotes, findBest, isCheckpointFile, listCheckpoints, type SavedCheckpoint } from "../../native-models/training/checkpoint-file.ts";
import type { ProbeJob } from "./answer-jobs.ts";
import { join } from "node:path";

export type { AdapterNotes, FolderDescription, MeasuredWidth, Question, Tokenizer };

type ProbeHead = Pick<ProbeJob, "questions" | "split" | "shots" | "shotsFrom" | "shotChoice" | "task" | "style" | "promptForm">;

export interface Readers {
  describeFolder(folder: string): FolderDescription;
  looksLikeModel(folder: string): boolean;
  hasChatTemplate(folder: string): boolean;
  /** The chat template's Jinja; null where the model has none. */
  chatTemplateText(folder: string): string | null;
  /** How an adapter, a PEFT folder or a checkpoint file, was trained; null where it does not say. */
  adapterNotes(adapter: string): AdapterNotes | null;
  /** Checkpoints in a run's folder of checkpoints, newest first, and the one that validation found best. */
  checkpoints(folder: string): { steps: SavedCheckpoint[]; best: SavedCheckpoint | null };
  openTokenizer(folder: string): Tokenizer;
  readQuestions: typeof readQuestions;
  inspectRows: typeof inspectRows;
  histogramOf: typeof histogramOf;
  /** Reads a probe's examples and first question, so that what does not fit its task is told before long work. */
  readProbeHead(probe: ProbeHead): Promise<void>;
  /** What rounding a model's weights was found to cost and gain; null where it was not measured. */
  measuredWidth(fingerprint: string, cache: string, width: MeasuredWidth["width"]): MeasuredWidth | null;
  isWorthIt: typeof isWorthIt;
  /** Names how weights are rounded to that width. */
  roundingOf(width: Width): string;
  /** The Alpaca prompt with its places. */
  alpacaText(): string;
}

export const readers: Readers = {
  describeFolder,
  looksLikeModel,
  hasChatTemplate: (folder) => chatTemplateText(folder) !== null,
  chatTemplateText,
  adapterNotes: (adapter) => (isCheckpointFile(adapter) ? checkpointNotes(adapter) : readAdapterNotes(adapter)),
  checkpoints: (folder) => ({ steps: listCheckpoints(folder), best: findBest(folder) }),
  openTokenizer,
  readQuestions,
  inspectRows,
  histogramOf,
  async readProbeHead({ questions, split = null, shots, shotsFrom = null, shotChoice = { by: "first" }, ...asked }) {
    const task = taskOf(asked);
    if (task !== null) await readTask(task, { questions, split, shots, shotsFrom, choice: shotChoice, limit: 1 });
  },
  measuredWidth: (fingerprint, cache, width) => readMeasured(cache, fingerprint, width),
  isWorthIt,
  roundingOf: (width) => (width === "float32" ? width : `${width} v${roundingVersions[width]}`),
  alpacaText: () => alpacaPrompt([{ role: "user", content: "{instruction}" }], ""),
};

function chatTemplateText(folder: string): string | null {
  const config = readJsonFile(join(folder, "tokenizer_config.json"), 64 * 1024 * 1024) ?? {};
  return findChatTemplate(folder, config)?.text ?? null;
}
