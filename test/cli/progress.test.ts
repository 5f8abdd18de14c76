import { expect, test } from "vitest";
import { duration, progressLine, progressText } from "../../main/cli/progress.ts";
import type { ProgressEvent } from "../../main/engine/events.ts";

const progress = (done: number, changes: Partial<ProgressEvent> = {}): ProgressEvent => ({
  type: "progress", stage: "Training", done, total: 200, unit: "steps", ratePerSecond: 2.5, leftMs: 90_000, ...changes,
});

function lines(isTTY: boolean) {
  let text = "";
  let clock = 0;
  const line = progressLine({ write: (part: string) => (text += part), isTTY, columns: 120 }, () => clock);
  return { line, at: (ms: number) => (clock = ms), text: () => text };
}

test("a line names stage, share, count, rate and time left", () => {
  expect(progressText(progress(50), "loss 1.234")).toBe("Training [######..................] 25 % · 50/200 steps · 2.5 steps/s · 1 min 30 s left · loss 1.234");
  expect(progressText(progress(0, { ratePerSecond: null, leftMs: null }), "")).toBe("Training [........................] 0 % · 0/200 steps");
});

test("without a terminal a line is written every few seconds, at a new stage and at the end", () => {
  const { line, at, text } = lines(false);
  for (let done = 1; done <= 200; done++) {
    at(done * 100); // 20 seconds in all
    line.show(progress(done));
  }
  line.show(progress(0, { stage: "Saving" }));
  const shown = text().trim().split("\n");
  expect(shown).toHaveLength(6); // at 0, 5, 10 and 15 seconds, at the end, at the next stage
  expect(text()).not.toContain("\x1b");
});

test("on a terminal one line is written over and taken away for other text", () => {
  const { line, text } = lines(true);
  line.show(progress(1));
  line.clear();
  expect(text()).toMatch(/^\r\x1b\[2KTraining .*\r\x1b\[2K$/);
  expect(text()).not.toContain("\n");
});

test("times read as people say them", () => {
  expect([duration(400), duration(59_400), duration(61_000), duration(3_720_000)]).toEqual(["0 s", "59 s", "1 min 01 s", "1 h 02 min"]);
});

test.each([true, false])("what a stage says of itself is a line that stays, once (terminal: %s)", (isTTY) => {
  const { line, text } = lines(isTTY);
  const note = "solver: CPU (no CUDA libraries found)";
  for (let done = 0; done < 4; done++) line.show(progress(done, { note }));
  expect(text().match(/solver: CPU \(no CUDA libraries found\)\n/g)).toHaveLength(1);
  line.show(progress(4, { note: "solver: CPU instead (out of memory)" }));
  expect(text()).toContain("solver: CPU instead (out of memory)\n");
});
