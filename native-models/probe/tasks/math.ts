// MATH (competition mathematics): the last \boxed{…} of the answer against that of the solution.
// "boxed", the exact match: equal in Hendrycks's normal form. "flexible": the box, or where there is none what follows
// "answer is", equal in Hendrycks's or Minerva's normal form. The prompt is minerva_math's of lm-evaluation-harness.
// Data: EleutherAI/hendrycks_math and its like, columns problem and solution (MATH-500 has answer too).

import { optionalText, textOf, wrongField } from "../../data/columns.ts";
import { isHendrycksEqual, isMinervaEqual, lastBoxed, statedAnswer } from "../math-answers.ts";
import type { ProbeTask } from "../task.ts";

const example = '{"problem": "What is $1+1$?", "solution": "It is $\\\\boxed{2}$."}';

export const math: ProbeTask = {
  name: "math",
  description: "",
  delimiter: "\n\n",
  shots: 4,
  newTokens: 512,
  stops: ["Problem:"],
  asks: ["test", "validation", "train"],
  shows: ["train"],
  question(record) {
    const problem = textOf(record, ["problem", "question"], example);
    const solution = textOf(record, ["solution", "answer"], example);
    const gold = lastBoxed(solution) ?? optionalText(record, ["answer"]);
    if (gold === null) throw wrongField(record, ["solution"], "has no \\boxed{…} answer", example);
    return {
      question: problem,
      accepted: [gold],
      prompt: `Problem:\n${problem}\n\nSolution:`,
      message: problem,
      example: ` ${solution}`,
      target: ` ${solution}`,
      judge: { kind: "text", judge: (cut) => judgeMath(cut, gold) },
    };
  },
};

export function judgeMath(text: string, gold: string) {
  const boxed = lastBoxed(text);
  const said = boxed ?? statedAnswer(text);
  const isExact = boxed !== null && isHendrycksEqual(boxed, gold);
  const isFlexible = said !== null && (isHendrycksEqual(said, gold) || isMinervaEqual(said, gold));
  return { isExact, isContained: isFlexible || text.includes(gold), measures: { boxed: Number(isExact), flexible: Number(isFlexible) } };
}
