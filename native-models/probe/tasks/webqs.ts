// WebQuestions as lm-evaluation-harness scores it (webqs v2.0): nothing is generated; right if any accepted answer is,
// token for token, the model's greedy continuation. One teacher-forced pass an answer.
// Data: stanfordnlp/web_questions, columns question and answers (a list).

import { textOf, textsOf } from "../../data/columns.ts";
import type { ProbeTask } from "../task.ts";

const example = '{"question": "what is the capital of france?", "answers": ["Paris"]}';

export const webqs: ProbeTask = {
  name: "webqs",
  description: "",
  delimiter: "\n\n",
  shots: 0,
  newTokens: 0,
  stops: [],
  asks: ["test", "validation", "train"],
  shows: ["train"],
  question(record) {
    const question = textOf(record, ["question", "utterance"], example);
    const accepted = withoutExtensions(textsOf(record, ["answers", "answer"], example));
    return {
      question,
      accepted,
      prompt: `Question: ${question}\nAnswer:`,
      message: question,
      example: ` ${accepted[0]}`,
      target: ` ${accepted[0]}`,
      judge: { kind: "greedy", continuations: accepted.map((answer) => ` ${answer}`) },
    };
  },
};

/** Sorted by code point; an answer that begins with the one kept before it can only be right where that one is. */
export function withoutExtensions(answers: readonly string[]): string[] {
  const kept: string[] = [];
  for (const answer of [...answers].sort(byCodePoint)) if (kept.length === 0 || !answer.startsWith(kept.at(-1)!)) kept.push(answer);
  return kept;
}

/** As Python sorts texts; JavaScript's own order goes by UTF-16 units. */
function byCodePoint(a: string, b: string): number {
  const [left, right] = [[...a], [...b]];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const difference = left[i]!.codePointAt(0)! - right[i]!.codePointAt(0)!;
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}
