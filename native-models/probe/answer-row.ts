// A question with its accepted answer as one row: the prompt is read, the answer's tokens are the targets.

import type { Tokenizer } from "../checkpoint/types.ts";
import { encodeFromStart } from "../data/from-start.ts";
import type { TrainRow } from "../programs/train-program.ts";

/** `answer` follows the prompt as it is, with its leading space; its tokens are what the whole text has more, as lm-evaluation-harness parts them. */
export function answerRow(prompt: string, answer: string, tokenizer: Tokenizer): TrainRow {
  const promptIds = encodeFromStart(prompt, tokenizer);
  const whole = encodeFromStart(prompt + answer, tokenizer);
  const ids = whole.length > promptIds.length ? whole : [...promptIds, ...tokenizer.encode(answer)];
  return { ids, isTrained: ids.map((_, t) => (t >= promptIds.length ? 1 : 0)) };
}
