import { expect, test } from "vitest";
import { explosionFactor, remember, rememberedLosses, whyBroken } from "../../native-models/training/loss-guard.ts";
import { isOutOfPatience, judge, notValidated } from "../../native-models/training/validation.ts";

const uniform = Math.log(300);
const calm = Array.from({ length: 20 }, (_, i) => 2 + (i % 3) * 0.1);

test("a loss or gradient that is no number stops a run at any step", () => {
  expect(whyBroken(NaN, 1, [], uniform)).toContain("NaN");
  expect(whyBroken(1, Infinity, [], uniform)).toContain("Infinity");
});

test("an exploded loss is told by its median and the loss of a uniform guess", () => {
  const reason = whyBroken(7, 1, calm, uniform);
  expect(reason).toContain(`${explosionFactor} times the 2.100 of the 20 steps before`);
  expect(reason).toContain(uniform.toFixed(3));
});

test("hard rows are no explosion: below a uniform guess, or within the factor of the median, a run goes on", () => {
  expect(whyBroken(5.6, 1, calm.map((loss) => loss / 4), uniform)).toBeNull();
  expect(whyBroken(20, 1, calm.map(() => 8), uniform)).toBeNull();
});

test("the first steps have nothing to be compared with", () => {
  expect(whyBroken(50, 1, calm.slice(0, 3), uniform)).toBeNull();
});

test("so many losses are remembered, the newest", () => {
  const recent = Array.from({ length: 100 }, (_, i) => i).reduce<number[]>(remember, []);
  expect(recent).toHaveLength(rememberedLosses);
  expect(recent.at(-1)).toBe(99);
});

test("the lowest loss is the best state, though too small a fall keeps the wait", () => {
  const settings = { patience: 2, leastImprovementNats: 0.1 };
  const losses = [1, 0.95, 0.93, 0.8];
  const after = losses.map((_, i) => losses.slice(0, i + 1).reduce((progress, lossNats, step) => judge(progress, { step: step + 1, lossNats }, settings), notValidated));
  expect(after.map(({ best }) => best!.step)).toEqual([1, 2, 3, 4]);
  expect(after.map(({ waited }) => waited)).toEqual([0, 1, 2, 0]);
  expect(after.map((progress) => isOutOfPatience(progress, settings))).toEqual([false, false, true, false]);
  expect(isOutOfPatience(after[2]!, { ...settings, patience: null })).toBe(false);
});
