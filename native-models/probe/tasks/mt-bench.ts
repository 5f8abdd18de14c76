// Instruction following as MT-Bench does it: two turns in the model's own template, each rated 1 to 10 by a judge.
// Data: a file of questions with "turns" (HuggingFaceH4/mt_bench_prompts names them "prompt"), maybe "reference" answers
// and a "category". The questions are the user's to bring; Nullspace carries none.

import { optionalText, optionalTexts, textsOf } from "../../data/columns.ts";
import type { ProbeTask } from "../task.ts";

const example = '{"turns": ["Write a haiku about rain.", "Now make it about snow."], "category": "writing"}';

export const mtBench: ProbeTask = {
  name: "mt_bench",
  description: "",
  delimiter: "\n\n",
  shots: 0,
  newTokens: 1024,
  stops: [],
  asks: ["test", "validation", "train"],
  shows: ["train"],
  question(record) {
    const turns = textsOf(record, ["turns", "prompt"], example);
    const references = optionalTexts(record, ["reference", "references"], example);
    return {
      question: turns[0]!,
      accepted: references,
      prompt: turns[0]!,
      message: turns[0]!,
      example: "",
      target: null,
      judge: { kind: "turns", turns, references, category: optionalText(record, ["category"]) },
    };
  },
};
