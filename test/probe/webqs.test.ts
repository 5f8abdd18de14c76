// WebQuestions' rule on the real model against lm-evaluation-harness: log-likelihoods, greedy continuations, scores.
// fixtures/lm-eval.json is written by test/peers/lm_eval_scores.py; the questions are our own.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ProbeAnswer } from "../../main/engine/events.ts";
import { runProbe } from "../../main/engine/jobs/probe.ts";
import { realModel, smollm2Folder } from "../support/shared-paths.ts";

interface Greedy {
  question: string;
  choices: string[];
  logLikelihoods: number[];
  areGreedy: boolean[];
  exact_match: number;
}

/** Float32 on both sides, other order of sums: measured up to 2e-5 of values up to 20. */
const tolerance = 5e-4;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "nullspace-webqs-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.skipIf(smollm2Folder === null)("scores of SmolLM2 are the harness's, question by question", { timeout: 120_000 }, async () => {
  const fixtures = join(fileURLToPath(import.meta.url), "../fixtures/lm-eval.json");
  const { greedy } = JSON.parse(readFileSync(fixtures, "utf8")) as { greedy: Greedy[] };
  const questions = join(folder, "webqs.jsonl");
  writeFileSync(questions, greedy.map(({ question, choices }) => JSON.stringify({ question, answers: choices })).join("\n"));
  const answers: ProbeAnswer[] = [];
  await runProbe(
    { kind: "probe", model: realModel(), adapter: null, questions, task: "webqs", shots: 0, limit: null, batch: 8, maxNewTokens: null, style: "knowledge", template: "chat" },
    (event) => void (event.type === "answer" && answers.push(event)),
    new AbortController().signal,
  );
  answers.sort((a, b) => a.index - b.index);
  expect(answers.map(({ isExact }) => isExact)).toEqual(greedy.map(({ exact_match }) => exact_match === 1));
  expect(answers.map(({ answer }) => answer)).toEqual(greedy.map(() => "")); // nothing is written
  expect(greedy.filter(({ exact_match }) => exact_match === 1).length).toBeGreaterThan(0);
  // Ours is a token's mean of the first choice; a one-token answer has the harness's very sum.
  const ratios = answers.map(({ logLikelihoodNats }, i) => greedy[i]!.logLikelihoods[0]! / logLikelihoodNats);
  const worst = Math.max(...ratios.map((ratio, i) => Math.abs(ratio - Math.round(ratio)) * Math.abs(answers[i]!.logLikelihoodNats)));
  console.log(`${greedy.filter(({ exact_match }) => exact_match === 1).length} of ${greedy.length} greedy; worst difference ${worst.toExponential(1)} nats a token`);
  expect(worst).toBeLessThan(tolerance);
});
