// Prompts, answers and scores against lm-evaluation-harness's own log of 120 questions.

import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import type { ProbeAnswer } from "../../main/engine/events.ts";
import type { ProbeJob } from "../../main/engine/answer-jobs.ts";
import { runProbe } from "../../main/engine/jobs/probe.ts";
import { readTask } from "../../native-models/probe/read-task.ts";
import { filterGeneration, isExactMatch } from "../../native-models/probe/score.ts";
import { examplesText } from "../../native-models/probe/task.ts";
import { nqOpen } from "../../native-models/probe/tasks/nq-open.ts";
import { goldenFile, goldenTest, realModel, sharedData, sharedFolder } from "../support/shared-paths.ts";

interface HarnessRow {
  prompt: string;
  answers: string[];
  generated: string;
  filtered: string;
  exact_match: number;
}

async function harnessRows(): Promise<HarnessRow[]> {
  const text = await readFile(goldenFile("lm_eval_nq_5shot.jsonl"), "utf8");
  return text.trim().split("\n").map((line) => JSON.parse(line) as HarnessRow);
}

const sharedTest = test.skipIf(sharedFolder === null);

sharedTest("120 prompts, filtered answers and scores equal the harness's", async () => {
  const rows = await harnessRows();
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

/** Two rows may differ by a tie in the last bit. */
const equalAtLeast = 118;
/** The harness writes up to 256 tokens. Two of its rows go on that long and are never right; here they are cut to save time. */
const mostTokens = 32;

goldenTest("the harness's 120 answers are reproduced: prompt, filtered text and score", { timeout: 120_000 }, async () => {
  const rows = await harnessRows();
  const answers: ProbeAnswer[] = [];
  const job: ProbeJob = {
    kind: "probe", model: realModel(), adapter: null, questions: sharedData("nq_open.probe.jsonl"), task: "nq_open", shots: 5, shotsFrom: sharedData("nq_open.calibration.jsonl"),
    limit: 120, batch: 24, maxNewTokens: mostTokens, style: "knowledge", template: "chat",
  };
  const result = await runProbe(job, (event) => void (event.type === "answer" && answers.push(event)), new AbortController().signal);
  answers.sort((a, b) => a.index - b.index);
  expect(answers.map(({ prompt }) => prompt)).toEqual(rows.map(({ prompt }) => prompt));
  const isEqual = ({ filtered, exact_match }: HarnessRow, i: number): boolean => {
    const own = filterGeneration(answers[i]!.answer);
    const isCut = own.split(" ").length >= mostTokens / 2 && filtered.startsWith(own);
    return (own === filtered || isCut) && answers[i]!.isExact === (exact_match === 1);
  };
  const equal = rows.filter(isEqual).length;
  console.log(`${equal} of 120 rows equal; ${result.questionsPerSecond.toFixed(1)} questions/s`);
  expect(equal).toBeGreaterThanOrEqual(equalAtLeast);
});
