// The questions that retention is measured on while a run trains: a sample of a knowledge file, chosen by the run's seed,
// each as one row of its prompt and its first accepted answer. Shots are the file's first questions, which are not asked.

import { seededRandom } from "../../../native-models/data/random.ts";
import type { Tokenizer } from "../../../native-models/checkpoint/types.ts";
import { UserError } from "../../../native-models/errors.ts";
import { answerRow } from "../../../native-models/probe/answer-row.ts";
import { readTask } from "../../../native-models/probe/read-task.ts";
import { examplesText } from "../../../native-models/probe/task.ts";
import { questionsTask } from "../../../native-models/probe/tasks/questions.ts";
import { countTargets, sharedTokens, type TrainRow } from "../../../native-models/programs/train-program.ts";
import { heaviestOf, type RowSize } from "../../../native-models/training/heaviest.ts";
import { retentionBatch } from "../../../native-models/training/retention.ts";
import type { ValidatesBy } from "../../../native-models/training/validator.ts";
import type { RetentionSettings } from "../train-jobs.ts";

export interface RetentionRows {
  count: number;
  /** Tokens of the longest row. */
  longest: number;
  /** Tokens that one measurement reads, by either way. */
  tokens: Readonly<Record<ValidatesBy, number>>;
  /** The rows in micro-batches, in the same order each time. */
  microBatches(by: ValidatesBy): TrainRow[][];
  /** For the memory plan: the heaviest of these micro-batches. */
  heaviest(by: ValidatesBy): RowSize[][];
}

/** A stream of the seed's own: epochs use 0, 1, 2, …, the split of validation rows 2^40. */
const sampleStream = 2 ** 41;

/** Rows that the model has no room for are refused by their number. */
export async function retentionRows({ questions: file, shots, limit }: RetentionSettings, tokenizer: Tokenizer, { seed, maxPositions }: { seed: number; maxPositions: number }): Promise<RetentionRows> {
  const task = questionsTask();
  const { examples, asked } = await readTask(task, { questions: file, split: null, shots, shotsFrom: null, choice: { by: "first" }, limit: null });
  if (asked.length === 0) {
    throw new UserError({ what: `None of the file's questions is left to measure retention on: its first ${shots} are the examples.`, where: file, fix: "Give more questions or fewer shots." });
  }
  const order = seededRandom(seed, sampleStream).shuffle(Array.from(asked.keys()));
  const chosen = order.slice(0, limit).sort((a, b) => a - b).map((at) => asked[at]!);
  const before = examplesText(task, examples);
  const rows = chosen.map(({ question }) => answerRow(before + question.prompt, question.target ?? question.example, tokenizer));
  const lengths = rows.map(({ ids }) => ids.length);
  const tooLong = lengths.findIndex((length) => length > maxPositions);
  if (tooLong >= 0) {
    throw new UserError({ what: `Question ${chosen[tooLong]!.index + 1} has ${lengths[tooLong]} tokens with its examples and answer; the model takes ${maxPositions}.`, where: file, fix: "Use fewer shots, or leave the question out." });
  }
  const microBatches = (by: ValidatesBy): TrainRow[][] => Array.from({ length: Math.ceil(rows.length / retentionBatch[by]) }, (_, i) => rows.slice(i * retentionBatch[by], (i + 1) * retentionBatch[by]));
  const sizes = (by: ValidatesBy): RowSize[][] =>
    microBatches(by).map((batch) => {
      const shared = sharedTokens(batch);
      return batch.map((row) => ({ tokens: row.ids.length, trained: countTargets(row), shared }));
    });
  const read = (batch: readonly RowSize[]): number => batch.reduce((sum, { tokens, shared }) => sum + tokens - shared, batch[0]!.shared); // what all begin with, once
  const tokensBy = (by: ValidatesBy): number => sizes(by).reduce((sum, batch) => sum + read(batch), 0);
  return {
    count: rows.length,
    longest: Math.max(...lengths),
    tokens: { forward: tokensBy("forward"), gradients: tokensBy("gradients") },
    microBatches,
    heaviest(by) {
      const all = sizes(by).flat();
      const batch = retentionBatch[by];
      return heaviestOf(Array.from({ length: Math.ceil(all.length / batch) }, (_, i) => [...all.keys()].slice(i * batch, (i + 1) * batch)), (at) => all[at]!);
    },
  };
}
