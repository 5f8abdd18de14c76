// Previews of calibration and training files: real questions with their lengths, real rows as the model will see them.

import { setImmediate as yieldToOthers } from "node:timers/promises";
import type { Readers, Tokenizer } from "../engine/readers.ts";
import type { PreviewQuestions } from "./params/data.ts";
import { absolute, requireThere } from "./paths.ts";
import type { RowPreviews } from "./row-previews.ts";
import type { QuestionsPreview } from "./shapes/data.ts";
import { fileStamp } from "./stage-keys.ts";

export function dataService({ readers }: { readers: Readers }, rows: RowPreviews) {
  // The last one is kept: a window turns pages of one file with one model.
  const tokenizers = lastOnly<Tokenizer>();

  const tokenizerOf = (model: string) => tokenizers(`${model} ${fileStamp(`${model}/tokenizer.json`)}`, () => readers.openTokenizer(model));

  return {
    async previewQuestions(params: PreviewQuestions, signal?: AbortSignal): Promise<QuestionsPreview> {
      const path = absolute(params.path);
      requireThere(path, "data.previewQuestions: path");
      const all = await readers.readQuestions(path, { answers: "optional" });
      const questions = all
        .slice(params.offset, params.offset + params.limit)
        .map(({ question, answers }, index) => ({ index: params.offset + index, question, answers }));
      const counted = { path, total: all.length, withAnswers: all.filter((row) => row.answers.length > 0).length, questions };
      if (params.model === null) return { ...counted, totalTokens: null, histogram: null };

      const tokenizer = tokenizerOf(absolute(params.model));
      const lengths = new Map<number, number>();
      let totalTokens = 0;
      for (const [index, row] of all.entries()) {
        if (index % 256 === 0) {
          await yieldToOthers();
          signal?.throwIfAborted();
        }
        const tokens = tokenizer.encode(row.question).length;
        totalTokens += tokens;
        lengths.set(tokens, (lengths.get(tokens) ?? 0) + 1);
      }
      return { ...counted, totalTokens, histogram: readers.histogramOf(lengths) };
    },

    previewRows: rows.preview,
  };
}

/** Keeps the value of the last key. */
function lastOnly<T>() {
  let last: { key: string; value: T } | null = null;
  return (key: string, make: () => T): T => {
    if (last?.key !== key) last = { key, value: make() };
    return last.value;
  };
}
