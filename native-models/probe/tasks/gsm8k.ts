// GSM8K as lm-evaluation-harness asks and scores it (gsm8k v3.0, five examples): the number after "#### " (strict), or
// the last number of the answer (flexible). Both are kept; exact match is the strict one.
// Data: openai/gsm8k, columns question and answer (worked, ending in "#### N").

import { textOf } from "../../data/columns.ts";
import { finalNumber, isGsm8kMatch } from "../number-answers.ts";
import { isContained } from "../score.ts";
import type { ProbeTask } from "../task.ts";

const example = '{"question": "2 bags of 3 apples: how many?", "answer": "2 * 3 = 6\\n#### 6"}';

export const gsm8k: ProbeTask = {
  name: "gsm8k",
  description: "",
  delimiter: "\n\n",
  shots: 5,
  newTokens: 256,
  stops: ["Question:", "</s>", "<|im_end|>"],
  asks: ["test", "validation", "train"],
  shows: ["train"],
  question(record) {
    const question = textOf(record, ["question"], example);
    const answer = textOf(record, ["answer"], example);
    const number = finalNumber(answer, "strict") ?? finalNumber(answer, "flexible") ?? answer;
    return {
      question,
      accepted: [number],
      prompt: `Question: ${question}\nAnswer:`,
      message: question,
      example: ` ${answer}`,
      target: ` ${answer}`,
      judge: {
        kind: "text",
        judge(cut) {
          const [strict, flexible] = [isGsm8kMatch(cut, answer, "strict"), isGsm8kMatch(cut, answer, "flexible")];
          return { isExact: strict, isContained: isContained(cut, [number]), measures: { strict: Number(strict), flexible: Number(flexible) } };
        },
      },
    };
  },
};
