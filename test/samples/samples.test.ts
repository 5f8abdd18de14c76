// The shipped samples: well formed, disjoint, and reproducible from their generator.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openTokenizer } from "../../native-models/checkpoint/tokenizer.ts";
import { planRows } from "../../native-models/data/plan.ts";
import { readQuestions, type Question } from "../../native-models/data/questions.ts";
import { openRows } from "../../native-models/data/rows/open.ts";
import { finalNumber, isFinalNumberMatch } from "../../native-models/probe/number-answers.ts";
import { filterGeneration, isExactMatch } from "../../native-models/probe/score.ts";
import { makeSamples, type WordProblem } from "../../scripts/make-samples.ts";
import { goldenTest, realModel, repoRoot } from "../support/shared-paths.ts";

const sample = (name: string) => join(repoRoot, "samples", name);
const words = (text: string) => new Set(text.toLowerCase().match(/[\p{L}\p{N}]+/gu)!.filter((word) => word.length > 3 && !commonWords.has(word)));
const commonWords = new Set(["what", "which", "that", "with", "from", "does", "called", "many", "people", "city", "country", "became", "first", "have"]);

describe("world-knowledge questions", async () => {
  const calibration = await readQuestions(sample("world-knowledge.calibration.jsonl"));
  const probe = await readQuestions(sample("world-knowledge.probe.jsonl"));

  test("there are hundreds of them, over many fields, in two halves", () => {
    expect(calibration.length + probe.length).toBeGreaterThanOrEqual(440);
    expect(Math.abs(calibration.length - probe.length)).toBeLessThanOrEqual(1);
    const fields = new Set(calibration.map((question) => question.field));
    expect(fields.size).toBeGreaterThanOrEqual(12);
    expect(new Set(probe.map((question) => question.field))).toEqual(fields);
  });

  test("no question stands in both halves, nor twice in one", () => {
    const all = [...calibration, ...probe].map((question) => question.question.toLowerCase());
    expect(new Set(all).size).toBe(all.length);
  });

  test("no fact stands in both halves: same answer and same words", () => {
    const twins = calibration.flatMap((a) => probe.filter((b) => shareAnswer(a, b) && overlap(a, b) > 0.6).map((b) => [a.question, b.question]));
    expect(twins).toEqual([]);
  });

  test("every accepted answer can be met by a generation, and the question mark is left to the prompt", () => {
    for (const { question, answers } of [...calibration, ...probe]) {
      expect(question).not.toMatch(/[?\n]/);
      for (const answer of answers) {
        expect(answer).not.toMatch(/[.,\n]/);
        expect(isExactMatch(filterGeneration(` ${answer}\nQ: more`), answers, "nq_open")).toBe(true);
      }
    }
  });
});

function shareAnswer(a: Question, b: Question): boolean {
  return isExactMatch(a.answers[0]!, b.answers, "nq_open");
}

function overlap(a: Question, b: Question): number {
  const [left, right] = [words(a.question), words(b.question)];
  const shared = [...left].filter((word) => right.has(word)).length;
  return shared / Math.max(1, Math.min(left.size, right.size));
}

describe("word problems", () => {
  const files = makeSamples();
  const rows = (name: string) => files[name]!.trim().split("\n").map((line) => JSON.parse(line) as WordProblem);

  test("the generator gives the shipped bytes", async () => {
    for (const [name, text] of Object.entries(files)) expect(await readFile(sample(name), "utf8")).toBe(text);
  });

  test("training and test rows are many and disjoint, even in their sums", () => {
    const [train, held] = [rows("word-problems.train.jsonl"), rows("word-problems.test.jsonl")];
    expect(train.length).toBeGreaterThanOrEqual(600);
    expect(held).toHaveLength(100);
    const sums = (problems: WordProblem[]) => problems.map((row) => row.instruction.replace(/[A-Z]\w+/g, "N").replace(/[a-z]+s\b/g, "t"));
    const known = new Set(sums(train));
    expect(sums(held).filter((sum) => known.has(sum))).toEqual([]);
  });

  test("every worked step is right, and the last one is the answer", () => {
    for (const { output } of [...rows("word-problems.train.jsonl"), ...rows("word-problems.test.jsonl")]) {
      const steps = [...output.matchAll(/(\d+) ([-+*/]) (\d+) = (\d+)/g)];
      for (const [, a, op, b, result] of steps) {
        const [x, y] = [Number(a), Number(b)];
        expect({ "+": x + y, "-": x - y, "*": x * y, "/": x / y }[op!]).toBe(Number(result));
      }
      expect(isFinalNumberMatch(output, `#### ${steps.at(-1)![4]}`, "strict")).toBe(true);
      expect(finalNumber(output, "flexible")).toBe(steps.at(-1)![4]);
    }
  });

  goldenTest("every row fits 110 tokens of SmolLM2, in its chat template and in the Alpaca prompt", async () => {
    const tokenizer = openTokenizer(realModel());
    for (const name of Object.keys(files)) {
      for (const template of ["chat", "alpaca"] as const) {
        const source = await openRows(sample(name));
        const plan = await planRows(source, tokenizer, { template, length: 110, overLong: "refuse" });
        await source.close();
        expect(plan.counts.kept).toBe(source.count);
      }
    }
  });
});
