// Prompts and scores against lm-evaluation-harness's own log of 120 questions.

import { readFile } from "node:fs/promises";
import { expect } from "vitest";
import { readQuestions } from "../../native-models/data/questions.ts";
import { knowledgePrompt } from "../../native-models/probe/prompts.ts";
import { filterGeneration, isExactMatch } from "../../native-models/probe/score.ts";
import { goldenFile, sharedData, sharedFolder } from "../support/shared-paths.ts";
import { test } from "vitest";

interface HarnessRow {
  prompt: string;
  answers: string[];
  generated: string;
  filtered: string;
  exact_match: number;
}

const sharedTest = test.skipIf(sharedFolder === null);

sharedTest("120 prompts, filtered answers and scores equal the harness's", async () => {
  const text = await readFile(goldenFile("lm_eval_nq_5shot.jsonl"), "utf8");
  const rows = text.trim().split("\n").map((line) => JSON.parse(line) as HarnessRow);
  const shots = (await readQuestions(sharedData("nq_open.calibration.jsonl"))).slice(0, 5);
  const questions = await readQuestions(sharedData("nq_open.probe.jsonl"));
  expect(rows).toHaveLength(120);
  for (const [i, row] of rows.entries()) {
    expect(knowledgePrompt("nq_open", questions[i]!.question, shots)).toBe(row.prompt);
    const filtered = filterGeneration(row.generated);
    expect(filtered).toBe(row.filtered);
    expect(isExactMatch(filtered, row.answers, "nq_open") ? 1 : 0).toBe(row.exact_match);
  }
  expect(rows.filter((row) => row.exact_match === 1).length).toBeGreaterThan(0);
});
