// Histogram, word differences, token chips and the log: plain functions that components draw from.

import fc from "fast-check";
import { expect, test } from "vitest";
import { answerLine } from "../../renderer/draw/answers.ts";
import { chipText } from "../../renderer/draw/chips.ts";
import { drawHistogram, niceTicks } from "../../renderer/draw/histogram.ts";
import { logLines } from "../../renderer/draw/log.ts";
import { markDifferences } from "../../renderer/draw/words.ts";

const histogram = { binTokens: 10, counts: [4, 0, 2, 400], longestTokens: 39 };

test("the limit's line lies after the last token that is kept, and bars past it are marked", () => {
  const picture = drawHistogram(histogram, { width: 400, height: 100, limit: 19 });
  expect(picture.limitX).toBeCloseTo(195, 9);
  expect(picture.bars.map(({ isBeyond }) => isBeyond)).toEqual([false, false, true, true]);
});

test("a limit beyond every row draws no line", () => {
  expect(drawHistogram(histogram, { width: 400, height: 100, limit: 512 }).limitX).toBeNull();
  expect(drawHistogram(histogram, { width: 400, height: 100, limit: null }).limitX).toBeNull();
});

test("bars are in proportion, stand on the axis, and one row among hundreds is still seen", () => {
  const { bars } = drawHistogram(histogram, { width: 400, height: 100, limit: null });
  expect(bars.map(({ height }) => height)).toEqual([2, 0, 2, 100]);
  expect(bars.every(({ y, height }) => y + height === 100)).toBe(true);
  expect(bars.every(({ x }, i) => x >= i * 100 && x < (i + 1) * 100)).toBe(true);
});

test("ticks are round numbers within the picture", () => {
  expect(niceTicks(160, 5)).toEqual([0, 50, 100, 150]);
  expect(niceTicks(3, 5)).toEqual([0, 1, 2, 3]);
});

test("the pieces of a marked answer are the answer itself", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 60 }), fc.string({ maxLength: 60 }), (left, right) => {
      const marked = markDifferences(left, right);
      expect(marked.left.map(({ text }) => text).join("")).toBe(left);
      expect(marked.right.map(({ text }) => text).join("")).toBe(right);
    }),
  );
});

test("only words of one side are marked", () => {
  const { left, right } = markDifferences("There are 4 books left.", "There are 40 books left.");
  const own = (pieces: typeof left) => pieces.filter(({ isOwn }) => isOwn).map(({ text }) => text);
  expect([own(left), own(right)]).toEqual([["4"], ["40"]]);
  expect(own(markDifferences("same text", "same text").left)).toEqual([]);
});

test("what cannot be seen in a token gets a sign, spaces stay", () => {
  expect([chipText(" the"), chipText("\n"), chipText("\t"), chipText("")]).toEqual([" the", "↵", "⇥", "∅"]);
});

test("an answer of white space alone is said to be nothing", () => {
  expect([answerLine(" \n"), answerLine("\n a\n\n\n b")]).toEqual(["(nothing)", "a\n b"]);
});

test("the log has everything once, newest first, and marks what went wrong", () => {
  const lines = logLines({
    notes: [{ id: 1, atMs: 20, kind: "warning", text: "Mind this.", warning: null }],
    checkpoints: [{ step: 25, path: "/c", writtenMs: 40 }],
    stages: [{ stage: "train", status: "failed", startedMs: 10, endedMs: 3010, workedMs: 3000, output: null, result: null }],
  });
  expect(lines.map(({ text, isWarning }) => [text, isWarning])).toEqual([
    ["Train: failed after 3.0 s", true],
    ["Checkpoint of step 25 written", false],
    ["Mind this.", true],
    ["Train began", false],
  ]);
});

test("where one stage ends and the next begins in the same moment, the beginning is the newer line", () => {
  const stage = { status: "done" as const, workedMs: 10, output: null, result: null };
  const lines = logLines({ notes: [], checkpoints: [], stages: [{ ...stage, stage: "train", startedMs: 10, endedMs: 20 }, { ...stage, stage: "probe", startedMs: 20, endedMs: 30 }] });
  expect(lines.map(({ key }) => key)).toEqual(["probe ended", "probe began", "train ended", "train began"]);
});
