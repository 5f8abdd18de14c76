// Retention and answers as the window draws and words them: plain functions.

import { expect, test } from "vitest";
import { changeWords, factLine, questionNumber } from "../../renderer/draw/answers.ts";
import { answerIndex } from "../../main/engine/jobs/probe-turns.ts";
import { issuesByField } from "../../renderer/draw/form.ts";
import { expectedCostShare, retentionColumns, retentionCost, retentionRange, sureness, wordForWord } from "../../renderer/draw/retention.ts";
import { columnsOf, fromStepZero } from "../../renderer/draw/series.ts";
import { runParams } from "../../main/rpc/contract.ts";

const at = (step: number, retention: number) => ({ step, retention, low: retention - 0.02, high: retention + 0.02, baseNats: -2, nats: -2, exact: { base: 12, now: 11 }, questions: 32, isAbove: true, elapsedMs: 1000 });
const point = (step: number) => ({ step, lossNats: 1, learningRate: 1, gradNorm: 1, tokens: 1, tokensPerSecond: 1, elapsedMs: step * 3000 });

test("the curve lies at the steps of the loss, from the base at step 0, in percent", () => {
  const { steps, loss } = fromStepZero(columnsOf([1, 2, 3].map(point)));
  expect([steps, loss]).toEqual([[0, 1, 2, 3], [null, 1, 1, 1]]);
  const { line, band } = retentionColumns(steps, [at(0, 1), at(2, 0.95)]);
  expect(line).toEqual([100, null, 95, null]);
  expect(band.map((end) => end[2]!.toFixed(1))).toEqual(["97.0", "93.0"]);
  expect(fromStepZero({ steps, loss, learningRate: [], gradNorm: [], tokensPerSecond: [] }).steps).toBe(steps);
});

test("a curve that hardly moves is drawn so", () => {
  const [least, most] = retentionRange(99.8, 100.1);
  expect(least).toBeLessThanOrEqual(98);
  expect(most).toBeGreaterThanOrEqual(101);
  expect(retentionRange(80, 100)[0]).toBeLessThan(80);
});

test("words say how sure, what is exact, and what measuring cost", () => {
  expect(sureness(at(2, 0.95))).toBe("93.0–97.0 %");
  expect(wordForWord(at(2, 0.95))).toBe("12 → 11 exact");
  expect(wordForWord({ ...at(2, 0.95), exact: null })).toBe("");
  expect(retentionCost([at(0, 1), at(2, 0.95)], [1, 2].map(point))).toBe("2 measurements, 2.0 s, 25 % of training");
  expect(retentionCost([], [])).toBe("");
});

test("the expected cost is text read against text trained on, three times as much by the gradient program", () => {
  const plan = { retentionTokens: 630, everySteps: 5, rowsPerStep: 8, tokensPerRow: 80, isByGradients: false };
  expect(expectedCostShare(plan)).toBeCloseTo(630 / 9600, 10);
  expect(expectedCostShare({ ...plan, isByGradients: true })).toBeCloseTo(1890 / 9600, 10);
  expect(expectedCostShare({ ...plan, retentionTokens: null })).toBeNull();
  expect(expectedCostShare({ ...plan, everySteps: null })).toBeNull();
});

test("an answer's facts and its change are said in words", () => {
  expect([changeWords(null), changeWords(Math.log(0.5)), changeWords(0), changeWords(Math.log(250))]).toEqual([null, "likelihood × 0.500", "likelihood × 1.00", "likelihood × 250"]);
  const given = { index: 0, subject: "base", question: "q", accepted: ["a"], prompt: "p", answer: "a", isExact: false, isContained: true, logLikelihoodNats: -1.25, measures: { strict: 0 }, verdict: null } as const;
  expect(factLine({ ...given, accepted: ["a"] })).toBe("wrong, but an accepted answer is in it · right answer −1.250 nats a token · strict 0");
  expect(factLine({ ...given, accepted: ["a"], isExact: true, logLikelihoodNats: NaN, measures: {} })).toBe("right");
  const judged = { ...given, accepted: [], verdict: "Fair. Rating: [[7]]" };
  expect([factLine({ ...judged, measures: { rated: 1, rating: 7, "turn 2": 7 } }), factLine({ ...judged, measures: { rated: 0 } })]).toEqual(["rated 7", "not rated"]);
});

test("the turns of a judged question share its number", () => {
  const asked = (row: number) => ({ row, turns: ["first", "second"], references: [] });
  expect([answerIndex(asked(0), 0), answerIndex(asked(1), 0), answerIndex(asked(1), 1)].map((index) => questionNumber(index, true))).toEqual([1, 2, 2]);
  expect(questionNumber(11, false)).toBe(12);
});

test("an emptied number field needs a number", () => {
  const checked = runParams.safeParse({ model: "m", questions: "q", data: "d", rank: null, retention: { everySteps: null } });
  expect(issuesByField(checked.error!.issues)).toMatchObject({ rank: "Needs a number.", "retention.everySteps": "Needs a number." });
});
