// Reading that is quick enough for the app's own process: model headers, tokenizers, previews of data. It stands between
// services and native-models, so that a test can give small fakes in its place. Long work is a job instead.

import { findChatTemplate } from "../../native-models/checkpoint/chat-template.ts";
import { describeFolder, looksLikeModel, type FolderDescription } from "../../native-models/checkpoint/checkpoint.ts";
import { readJsonFile } from "../../native-models/checkpoint/file-bytes.ts";
import { openTokenizer } from "../../native-models/checkpoint/tokenizer.ts";
import type { Tokenizer } from "../../native-models/checkpoint/types.ts";
import { histogramOf } from "../../native-models/data/histogram.ts";
import { planRows } from "../../native-models/data/plan.ts";
import { readQuestions, type Question } from "../../native-models/data/questions.ts";
import { openRows } from "../../native-models/data/rows/open.ts";
import { previewRows } from "../../native-models/data/rows/preview.ts";
import { join } from "node:path";

export type { FolderDescription, Question, Tokenizer };

export interface Readers {
  describeFolder(folder: string): FolderDescription;
  looksLikeModel(folder: string): boolean;
  hasChatTemplate(folder: string): boolean;
  openTokenizer(folder: string): Tokenizer;
  readQuestions: typeof readQuestions;
  openRows: typeof openRows;
  planRows: typeof planRows;
  previewRows: typeof previewRows;
  histogramOf: typeof histogramOf;
}

export const readers: Readers = {
  describeFolder,
  looksLikeModel,
  hasChatTemplate(folder) {
    const config = readJsonFile(join(folder, "tokenizer_config.json"), 64 * 1024 * 1024) ?? {};
    return findChatTemplate(folder, config) !== null;
  },
  openTokenizer,
  readQuestions,
  openRows,
  planRows,
  previewRows,
  histogramOf,
};
