// Prompts and scores against lm-evaluation-harness's own log of 120 questions.

import { readFile } from "node:fs/promises";
import { expect } from "vitest";
import { readTask } from "../../native-models/probe/read-task.ts";
import { filterGeneration, isExactMatch } from "../../native-models/probe/score.ts";
import { examplesText } from "../../native-models/probe/task.ts";
import { nqOpen } from "../../native-models/probe/tasks/nq-open.ts";
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
  const { examples, asked } = await readTask(nqOpen, {
    questions: sharedData("nq_open.probe.jsonl"), split: null, shots: 5, shotsFrom: sharedData("nq_open.calibration.jsonl"), choice: { by: "first" }, limit: 120,
  });
  expect(rows).toHaveLength(120);
  for (const [i, row] of rows.entries()) {
    expect(examplesText(nqOpen, examples) + asked[i]!.question.prompt).toBe(row.prompt);
    const filtered = filterGeneration(row.generated);
    expect(filtered).toBe(row.filtered);
    expect(isExactMatch(filtered, row.answers, "nq_open") ? 1 : 0).toBe(row.exact_match);
  }
  expect(rows.filter((row) => row.exact_match === 1).length).toBeGreaterThan(0);
});
