import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { makeBatches } from "../../native-models/data/batches.ts";

const settings = fc.record({
  lengths: fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 40 }),
  batch: fc.integer({ min: 1, max: 5 }),
  accumulate: fc.integer({ min: 1, max: 4 }),
  seed: fc.nat(),
});

const firstSteps = (batches: ReturnType<typeof makeBatches>, steps: number) => Array.from({ length: steps }, (_, step) => batches.windowOf(step).microBatches.flat());

describe("batches", () => {
  test("over any whole number of epochs every row comes equally often", () => {
    fc.assert(
      fc.property(settings, fc.integer({ min: 1, max: 3 }), (s, epochs) => {
        const batches = makeBatches({ ...s, epochs });
        const seen = new Array<number>(s.lengths.length).fill(0);
        for (const row of firstSteps(batches, batches.steps!).flat()) seen[row]! += 1;
        expect(new Set(seen)).toEqual(new Set([epochs]));
        expect(() => batches.windowOf(batches.steps!)).toThrow(RangeError);
      }),
    );
  });

  test("a step needs only its number: asked alone it is what it is in sequence", () => {
    fc.assert(
      fc.property(settings, fc.integer({ min: 0, max: 30 }), (s, step) => {
        const sequence = makeBatches({ ...s, epochs: null });
        firstSteps(sequence, step);
        expect(makeBatches({ ...s, epochs: null }).windowOf(step)).toEqual(sequence.windowOf(step));
      }),
    );
  });

  test("a step has batch × accumulate rows, longest first, and runs on into the next epoch", () => {
    fc.assert(
      fc.property(settings, (s) => {
        const batches = makeBatches({ ...s, epochs: null });
        for (let step = 0; step < 6; step++) {
          const { microBatches, epoch } = batches.windowOf(step);
          expect(microBatches.map((rows) => rows.length)).toEqual(Array.from({ length: s.accumulate }, () => s.batch));
          const sorted = microBatches.flat().map((row) => s.lengths[row]!);
          expect(sorted).toEqual([...sorted].sort((a, b) => b - a));
          expect(epoch).toBe(Math.floor((step * s.batch * s.accumulate) / s.lengths.length));
        }
      }),
    );
  });

  test("seeds differ, epochs differ, and seed 0 shuffles like any other", () => {
    const lengths = Array.from({ length: 64 }, (_, i) => i + 1);
    const order = (seed: number) => firstSteps(makeBatches({ lengths, batch: 1, accumulate: 1, seed, epochs: null }), 128).flat();
    const [zero, one] = [order(0), order(1)];
    expect(zero).not.toEqual(one);
    expect(zero.slice(0, 64)).not.toEqual(zero.slice(64));
    expect(zero.slice(0, 64)).not.toEqual(lengths.map((_, i) => i));
    expect(order(0)).toEqual(zero);
  });

  test("half an epoch is half the rows", () => {
    const batches = makeBatches({ lengths: [1, 1, 1, 1, 1, 1, 1, 1], batch: 2, accumulate: 1, seed: 3, epochs: 0.5 });
    expect(batches.steps).toBe(2);
  });
});
