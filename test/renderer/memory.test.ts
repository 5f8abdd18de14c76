import { expect, test } from "vitest";
import { estimateBesideMeasured, recomputedNote, termLines } from "../../renderer/draw/memory.ts";
import { fakeMemory } from "../engine/fake-jobs.ts";

test("the terms of an estimate add up; a term of nothing is left out", () => {
  const lines = termLines(fakeMemory);
  expect(lines.map(({ name }) => name)).toEqual(["Weights", "Adapters", "Optimizer", "Activations", "Logits", "Workspace", "Process"]);
  expect(lines.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1);
  expect(lines[0]!.size).toBe("477 MiB");
});

test("the measured peak stands beside the estimate once it is known", () => {
  expect(estimateBesideMeasured({ estimate: fakeMemory, measuredBytes: null })).toBe("1.4 GiB");
  expect(estimateBesideMeasured({ estimate: fakeMemory, measuredBytes: 1.2e9 })).toBe("1.4 GiB · measured 1.1 GiB");
});

test("what costs time to fit is said, what does not is not", () => {
  expect(recomputedNote(fakeMemory)).toBeNull();
  expect(recomputedNote({ ...fakeMemory, recomputed: "layer" })).toContain("a third slower");
});
