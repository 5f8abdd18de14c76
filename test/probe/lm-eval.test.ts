// Prompts and scores against lm-evaluation-harness's own functions, over cases of our own.
// fixtures/lm-eval.json is written by test/peers/lm_eval_scores.py.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { hendrycksForm, isHendrycksEqual, lastBoxed, minervaForm } from "../../native-models/probe/math-answers.ts";
import { isGsm8kMatch } from "../../native-models/probe/number-answers.ts";
import { filterGeneration, isExactMatch } from "../../native-models/probe/score.ts";
import { cutAtStops, examplesText } from "../../native-models/probe/task.ts";
import { probeTasks } from "../../native-models/probe/tasks.ts";
import { judgeMath } from "../../native-models/probe/tasks/math.ts";
import type { TaskName } from "../../native-models/probe/task.ts";

interface Fixture {
  prompts: Record<string, { zero: string; two: string | null; choices: string[] | null; target: string | string[] | null; stops: string[] }[]>;
  short: { text: string; accepted: string[]; filtered: string; nq_open: number; triviaqa: number }[];
  gsm8k: { text: string; answer: string; "strict-match": number; "flexible-extract": number }[];
  math: { boxes: { text: string; box: string | null }[]; stated: { text: string; answer: string }[]; forms: { answer: string; minerva: string }[]; equal: [string, string][] };
}

const fixtures = join(fileURLToPath(import.meta.url), "../fixtures");
const harness = JSON.parse(readFileSync(join(fixtures, "lm-eval.json"), "utf8")) as Fixture;
const cases = JSON.parse(readFileSync(join(fixtures, "cases.json"), "utf8")) as { rows: Record<string, Record<string, unknown>[]> };

describe.each(Object.keys(harness.prompts))("%s", (name) => {
  const task = probeTasks[name as TaskName];
  const questions = cases.rows[name]!.map((value, index) => task.question({ index, place: `row ${index}`, value, isCsv: false }));

  test("prompts with and without examples are the harness's", () => {
    harness.prompts[name]!.forEach(({ zero, two }, i) => {
      const { prompt } = questions[i + 2]!;
      expect(examplesText(task, []) + prompt).toBe(zero);
      // The harness shows HumanEval's tests as the answers of examples; we show the solutions.
      if (two !== null && name !== "humaneval") expect(examplesText(task, questions.slice(0, 2)) + prompt).toBe(two);
    });
  });

  test("stops and accepted answers are the harness's", () => {
    harness.prompts[name]!.forEach(({ choices, target, stops }, i) => {
      const { accepted, example } = questions[i + 2]!;
      expect(task.stops).toEqual(stops);
      if (choices !== null) expect(accepted).toEqual(choices);
      if (Array.isArray(target)) expect(accepted).toEqual(target);
      if (typeof target === "string") expect(example).toBe(` ${target}`);
    });
  });
});

test("short answers: what is left after the cut, and both exact matches", () => {
  for (const { text, accepted, filtered, nq_open, triviaqa } of harness.short) {
    expect([text, filterGeneration(text)]).toEqual([text, filtered]);
    const ours = [isExactMatch(filtered, accepted, "nq_open"), isExactMatch(filtered, accepted, "triviaqa")];
    expect([text, ...ours]).toEqual([text, nq_open === 1, triviaqa === 1]);
  }
  expect(harness.short.filter(({ nq_open }) => nq_open === 1).length).toBeGreaterThan(15);
});

test("gsm8k: strict and flexible", () => {
  for (const row of harness.gsm8k) {
    const cut = cutAtStops(row.text, probeTasks.gsm8k.stops);
    const ours = [isGsm8kMatch(cut, row.answer, "strict"), isGsm8kMatch(cut, row.answer, "flexible")];
    expect([row.text, row.answer, ...ours]).toEqual([row.text, row.answer, row["strict-match"] === 1, row["flexible-extract"] === 1]);
  }
});

describe("MATH", () => {
  test("the last box", () => {
    for (const { text, box } of harness.math.boxes) expect([text, lastBoxed(text)]).toEqual([text, box]);
  });

  test("Minerva's normal form", () => {
    for (const { answer, minerva } of harness.math.forms) expect([answer, minervaForm(answer)]).toEqual([answer, minerva]);
  });

  test("Hendrycks's equality, over all pairs", () => {
    const answers = harness.math.forms.map(({ answer }) => answer);
    const ours = answers.flatMap((a, i) => answers.slice(0, i).filter((b) => isHendrycksEqual(a, b)).map((b) => [a, b]));
    expect(ours).toEqual(harness.math.equal);
    expect(answers.filter((answer) => hendrycksForm(answer) === null).length).toBeGreaterThan(3); // malformed ones are among them
  });

  test("an answer in the harness's words is found where there is no box", () => {
    const found = harness.math.stated.filter(({ text, answer }) => lastBoxed(text) === null && answer !== "[invalidanswer]");
    expect(found.length).toBeGreaterThan(1);
    for (const { text, answer } of found) expect(judgeMath(text, answer).measures.flexible).toBe(1);
  });
});
