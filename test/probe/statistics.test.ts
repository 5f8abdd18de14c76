import fc from "fast-check";
import { expect, test } from "vitest";
import { mcnemarExact, pairedBootstrap, wilsonInterval } from "../../native-models/probe/statistics.ts";

test("Wilson's interval has the textbook values", () => {
  // Wilson 1927 / Brown, Cai and DasGupta 2001: 8 of 10, 95 %: 0.4902 to 0.9433; 0 of 10: 0 to 0.2775
  const eight = wilsonInterval(8, 10);
  expect(eight.low).toBeCloseTo(0.4902, 4);
  expect(eight.high).toBeCloseTo(0.9433, 4);
  expect(wilsonInterval(0, 10).low).toBe(0);
  expect(wilsonInterval(0, 10).high).toBeCloseTo(0.2775, 4);
  expect(wilsonInterval(10, 10).high).toBe(1);
  expect(wilsonInterval(0, 0)).toEqual({ low: 0, high: 1 });
});

test("McNemar's exact test is the two-sided binomial test", () => {
  expect(mcnemarExact(0, 0)).toBe(1);
  expect(mcnemarExact(5, 5)).toBe(1);
  expect(mcnemarExact(1, 9)).toBeCloseTo(22 / 1024, 12); // 2 · (1 + 10) / 2^10
  expect(mcnemarExact(0, 6)).toBeCloseTo(2 / 64, 12);
  fc.assert(
    fc.property(fc.nat({ max: 5000 }), fc.nat({ max: 5000 }), (lost, gained) => {
      const p = mcnemarExact(lost, gained);
      expect(p).toBe(mcnemarExact(gained, lost));
      expect(p >= 0 && p <= 1).toBe(true);
    }),
  );
});

test("the paired bootstrap covers the mean about as often as it says, and repeats by seed", () => {
  const base = Array.from({ length: 200 }, (_, i) => Math.sin(i));
  const tuned = base.map((value, i) => value + 0.5 + 0.1 * Math.cos(7 * i));
  const result = pairedBootstrap(base, tuned, { seed: 1 });
  expect(result.mean).toBeCloseTo(0.5, 2);
  expect(result.low).toBeLessThan(result.mean);
  expect(result.high).toBeGreaterThan(result.mean);
  // normal approximation: 1.96 · 0.1/√2/√200 = 0.0098 to each side; resampling noise is about 5 % of that
  expect(Math.abs((result.high - result.low) / 2 - 0.0098)).toBeLessThan(0.0015);
  expect(pairedBootstrap(base, tuned, { seed: 1 })).toEqual(result);
  expect(pairedBootstrap([1, 2], [1, 2]).mean).toBe(0);
});
