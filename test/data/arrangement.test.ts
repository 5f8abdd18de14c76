import { expect, test } from "vitest";
import { arrangeRows, batchByLength } from "../../native-models/data/arrangement.ts";
import { splitRows } from "../../native-models/data/split.ts";

const lengths = Int32Array.from({ length: 50 }, (_, i) => 5 + ((i * 7) % 31));
const settings = { lengths, batch: 3, accumulate: 2, steps: null, epochs: 2 } as const;

test("rows held out are in no step, all others are in each epoch once", () => {
  const { steps, windowOf, heldOut } = arrangeRows({ ...settings, seed: 0, holdOut: { rows: 8 } });
  const trained = Array.from({ length: steps }, (_, step) => windowOf(step).flat()).flat();
  expect(heldOut).toHaveLength(8);
  expect(trained.filter((row) => heldOut.includes(row))).toEqual([]);
  const times = Map.groupBy(trained, (row) => row);
  expect(times.size).toBe(42);
  expect([...times.values()].every((list) => list.length === 2)).toBe(true);
});

test("without validation nothing changes: the steps are those of all rows", () => {
  const { steps, windowOf, heldOut } = arrangeRows({ ...settings, seed: 0, holdOut: null });
  expect(heldOut).toHaveLength(0);
  expect(new Set(Array.from({ length: steps }, (_, step) => windowOf(step).flat()).flat()).size).toBe(50);
});

test("the split follows from the seed, and seed 0 is a seed", () => {
  const held = (seed: number) => [...splitRows(50, { share: 0.2 }, seed).validation];
  expect(held(0)).toEqual(held(0));
  expect(held(0)).not.toEqual(held(1));
  expect(held(0)).toHaveLength(10);
});

test("validation rows stand with rows of like length, each once", () => {
  const batches = batchByLength([4, 9, 1, 30, 22], lengths, 2);
  expect(batches.flat().toSorted((a, b) => a - b)).toEqual([1, 4, 9, 22, 30]);
  const flat = batches.flat().map((row) => lengths[row]!);
  expect(flat).toEqual(flat.toSorted((a, b) => b - a));
});
