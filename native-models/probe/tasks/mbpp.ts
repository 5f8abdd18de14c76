// MBPP: a task in words with its tests; the model writes the program, which is run in the sandbox. pass@1 of one greedy
// answer, prompt and stop as lm-evaluation-harness has them (mbpp v1.0, three examples).
// Data: google-research-datasets/mbpp, columns text (sanitized: prompt), code, test_list, test_imports.

import { optionalTexts, textOf, textsOf } from "../../data/columns.ts";
import type { ProbeTask } from "../task.ts";
import { codeBlock } from "./program-text.ts";

const example = '{"text": "Write a function that gives 1.", "code": "def one():\\n  return 1", "test_list": ["assert one() == 1"]}';

export const mbpp: ProbeTask = {
  name: "mbpp",
  description: "",
  delimiter: "\n\n",
  shots: 3,
  newTokens: 256,
  stops: ["[DONE]"],
  asks: ["test", "validation", "train"],
  shows: ["train"],
  runsPrograms: true,
  question(record) {
    const text = textOf(record, ["text", "prompt"], example);
    const code = textOf(record, ["code"], example);
    const tests = textsOf(record, ["test_list"], example);
    const imports = optionalTexts(record, ["test_imports"], example);
    const shown = [0, 1, 2].map((i) => tests[i] ?? "").join("\n");
    const wish = `You are an expert Python programmer, and here is your task: ${text} Your code should pass these tests:\n\n${shown}\n`;
    return {
      question: text,
      accepted: [code],
      prompt: `${wish}[BEGIN]\n`,
      message: `${wish}Give the program in one code block.`,
      example: `${code}\n[DONE]`,
      target: code,
      judge: { kind: "program", program: (cut, wording) => [...imports, (wording === "template" ? codeBlock(cut) : null) ?? cut, shown].join("\n") },
    };
  },
};
