import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { randomFrom, seededRandom } from "../../native-models/data/random.ts";

describe("seeded random numbers", () => {
  test("the generator is xoshiro128**: first numbers from state 1, 2, 3, 4 are the published ones", () => {
    const random = randomFrom([1, 2, 3, 4]);
    expect([random.bits(), random.bits(), random.bits()]).toEqual([11520, 0, 5927040]);
  });

  test("one seed gives one sequence; 0 is a seed; other seeds and streams give others", () => {
    const first = (...seed: [number, ...number[]]) => Array.from({ length: 4 }, (_, i) => i).map(((random) => () => random.bits())(seededRandom(...seed))).join();
    expect(first(0)).toBe(first(0));
    const all = [first(0), first(1), first(2 ** 32), first(0, 0), first(0, 1), first(1, 0)];
    expect(new Set(all).size).toBe(all.length);
  });

  test("a saved state goes on where it was saved", () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 0, max: 50 }), (seed, skipped) => {
        const random = seededRandom(seed);
        for (let i = 0; i < skipped; i++) random.bits();
        const saved = random.state();
        const next = Array.from({ length: 5 }, () => random.bits());
        const again = randomFrom(JSON.parse(JSON.stringify(saved)) as typeof saved);
        expect(Array.from({ length: 5 }, () => again.bits())).toEqual(next);
      }),
    );
  });

  test("below(n) is uniform within five standard errors, float within its range", () => {
    const random = seededRandom(7);
    const counts = new Array<number>(6).fill(0);
    const draws = 60_000;
    for (let i = 0; i < draws; i++) counts[random.below(6)]! += 1;
    const error = Math.sqrt((draws / 6) * (5 / 6));
    for (const count of counts) expect(Math.abs(count - draws / 6)).toBeLessThan(5 * error);
    const mean = Array.from({ length: draws }, () => random.float()).reduce((sum, x) => sum + x, 0) / draws;
    expect(Math.abs(mean - 0.5)).toBeLessThan(5 * Math.sqrt(1 / 12 / draws));
  });
});
