// Drawing maths of curves: smoothing, joining, small curves.

import fc from "fast-check";
import { expect, test } from "vitest";
import { paddedRange, stepTick } from "../../renderer/draw/curve-options.ts";
import { columnsOf, halfLifeFor, joinPoints, smooth, sparkPath, validationColumn } from "../../renderer/draw/series.ts";

const point = (step: number, lossNats = 1 / step) => ({ step, lossNats, learningRate: 1e-4, gradNorm: 1, tokens: 10, tokensPerSecond: 5, elapsedMs: step });

test("smoothing starts at the first value and keeps a constant curve as it is", () => {
  expect(smooth([3, 3, 3, 3], 10)).toEqual([3, 3, 3, 3].map((value) => expect.closeTo(value, 12)));
  expect(smooth([8, 0], 5)[0]).toBeCloseTo(8, 12);
});

test("after one half-life an old level has half of its weight", () => {
  const long = [...Array<number>(4000).fill(1), ...Array<number>(50).fill(0)];
  expect(smooth(long, 50).at(-1)).toBeCloseTo(0.5, 6);
});

test("a smoothed curve stays between the least and the highest value", () => {
  const values = fc.array(fc.double({ min: -100, max: 100, noNaN: true }), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(values, fc.double({ min: 0.1, max: 50, noNaN: true }), (raw, halfLife) => {
      const slack = 1e-9; // rounding of the running sums
      for (const value of smooth(raw, halfLife)) {
        expect(value).toBeGreaterThanOrEqual(Math.min(...raw) - slack);
        expect(value).toBeLessThanOrEqual(Math.max(...raw) + slack);
      }
    }),
  );
});

test("a loss that is not a number is a gap and does not spoil what follows", () => {
  expect(smooth([2, NaN, null, 2], 3)).toEqual([expect.closeTo(2, 12), null, null, expect.closeTo(2, 12)]);
  expect(columnsOf([point(1), point(2, NaN), point(3, Infinity)]).loss).toEqual([1, null, null]);
});

test("smoothing follows the length of the curve within bounds", () => {
  expect([10, 400, 1_000_000].map(halfLifeFor)).toEqual([1, 10, 200]);
});

test("points after a checkpoint are replaced by those that come again", () => {
  const known = [1, 2, 3, 4].map((step) => point(step));
  const again = [point(3, 9), point(4, 9), point(5, 9)];
  expect(joinPoints(known, again).map(({ step, lossNats }) => [step, lossNats])).toEqual([[1, 1], [2, 0.5], [3, 9], [4, 9], [5, 9]]);
});

test("a small curve fills its box and never leaves it", () => {
  const box = { width: 100, height: 20 };
  expect(sparkPath([4, 2, 0], box)).toBe("M1.0 1.0L50.0 10.0L99.0 19.0");
  expect(sparkPath([5, 5], box)).toBe("M1.0 10.0L99.0 10.0");
  expect([sparkPath([], box), sparkPath([1], box), sparkPath([NaN, 1], box)]).toEqual(["", "", ""]);
});

test("the axis of steps names whole steps only, thousands in short", () => {
  expect([0.5, 0, 500, 20_000].map(stepTick)).toEqual(["", "0", "500", "20 k"]);
});

test("an axis leaves air around the curve, never below zero, and has room for a flat one", () => {
  expect(paddedRange(1, 2)).toEqual([expect.closeTo(0.94, 9), expect.closeTo(2.06, 9)]);
  expect(paddedRange(0.01, 5)[0]).toBe(0);
  expect([paddedRange(0, 0), paddedRange(4, 4), paddedRange(null, null)]).toEqual([[0, 1], [2, 6], [0, 1]]);
});

test("validation losses stand at the steps of the curve, with gaps between", () => {
  const validations = [2, 4].map((step) => ({ step, lossNats: step / 10, trainedTokens: 5, isBest: false, elapsedMs: 1 }));
  expect(validationColumn([1, 2, 3, 4], validations)).toEqual([null, 0.2, null, 0.4]);
  expect(validationColumn([1, 2], [])).toBeUndefined();
});
