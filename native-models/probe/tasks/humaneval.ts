// HumanEval: the model writes on from a function's head; the program with its tests is run in the sandbox. pass@1 of one
// greedy answer, prompts and stops as lm-evaluation-harness has them (humaneval v1.0).
// Data: openai/openai_humaneval, columns prompt, canonical_solution, test, entry_point.

import { textOf } from "../../data/columns.ts";
import type { ProbeTask } from "../task.ts";
import { programIn } from "./program-text.ts";

const example = '{"prompt": "def one():\\n", "canonical_solution": "    return 1\\n", "test": "def check(f):\\n    assert f() == 1\\n", "entry_point": "one"}';

export const humaneval: ProbeTask = {
  name: "humaneval",
  description: "",
  delimiter: "\n\n",
  shots: 0,
  newTokens: 1024,
  stops: ["\nclass", "\ndef", "\n#", "\nif", "\nprint"],
  asks: ["test", "validation", "train"],
  shows: ["train"],
  runsPrograms: true,
  question(record) {
    const prompt = textOf(record, ["prompt"], example);
    const solution = textOf(record, ["canonical_solution"], example);
    const entry = textOf(record, ["entry_point"], example);
    const tests = `${textOf(record, ["test"], example)}\ncheck(${entry})`;
    return {
      question: entry,
      accepted: [solution],
      prompt,
      message: `Complete this Python function and give it whole in one code block:\n\`\`\`python\n${prompt}\n\`\`\``,
      example: solution,
      target: solution,
      judge: { kind: "program", program: (cut, wording) => `${(wording === "template" ? programIn(cut, entry) : null) ?? prompt + cut}\n${tests}` },
    };
  },
};
