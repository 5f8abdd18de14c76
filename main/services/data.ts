// Previews of calibration and training files: real rows as the model will see them, lengths, and what is left out and
// why. A file is looked at once for its settings; turning pages reads the rows of a page only.

import { setImmediate as yieldToOthers } from "node:timers/promises";
import type { Readers, Tokenizer } from "../engine/readers.ts";
import type { PreviewQuestions, PreviewRows } from "./params.ts";
import { absolute, requireThere } from "./paths.ts";
import type { QuestionsPreview, RowsPreview } from "./shapes.ts";
import { fileStamp } from "./stage-keys.ts";
import { chooseTemplate } from "./template.ts";

type Plan = Awaited<ReturnType<Readers["planRows"]>>;

export function dataService({ readers }: { readers: Readers }) {
  // The last of each is kept: a window turns pages of one file with one model.
  const tokenizers = lastOnly<Tokenizer>();
  const plans = lastOnly<Plan>();

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

    async previewRows(params: PreviewRows, signal?: AbortSignal): Promise<RowsPreview> {
      const path = absolute(params.path);
      const model = absolute(params.model);
      requireThere(path, "data.previewRows: path");
      const template = chooseTemplate(readers, model, params.template);
      const tokenizer = tokenizerOf(model);
      const settings = { template, length: params.length };
      const source = await readers.openRows(path);
      try {
        const planKey = JSON.stringify([path, fileStamp(path), model, settings]);
        const plan = await plans(planKey, () => readers.planRows(source, tokenizer, settings, signal === undefined ? {} : { signal }));
        const rows = await readers.previewRows(source, tokenizer, settings, { offset: params.offset, limit: params.limit });
        const { histogram, trainedTokens } = plan;
        const { total, kept, tooLong, empty, reasons } = plan.counts;
        const counts = { total, kept, tooLong, empty, reasons };
        return { path, layout: source.format.name, template, counts, trainedTokens, histogram, lengthLimit: params.length, rows };
      } finally {
        await source.close();
      }
    },
  };
}

/** Keeps the value of the last key. A failed making is forgotten. */
function lastOnly<T>() {
  let last: { key: string; value: T } | null = null;
  function get(key: string, make: () => T): T;
  function get(key: string, make: () => Promise<T>): Promise<T>;
  function get(key: string, make: () => T | Promise<T>): T | Promise<T> {
    if (last?.key === key) return last.value;
    const value = make();
    if (!(value instanceof Promise)) {
      last = { key, value };
      return value;
    }
    return value.then((made) => {
      last = { key, value: made };
      return made;
    });
  }
  return get;
}
