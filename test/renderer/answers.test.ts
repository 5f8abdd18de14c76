// What the answers' columns draw: own words, shades of surprise, ways through a conversation, votes.

import { expect, test } from "vitest";
import { formatProbability, meanNats, shadeOf, shadingSubject, tokenGroups } from "../../renderer/draw/surprise.ts";
import { newestLeaf, pathTo, siblings } from "../../renderer/draw/turns.ts";
import { tallyLine } from "../../renderer/draw/votes.ts";
import { markColumns } from "../../renderer/draw/words.ts";
import { sendKey } from "../../renderer/state/shortcuts.ts";

const own = (pieces: { text: string; isOwn: boolean }[]): string[] => pieces.filter(({ isOwn }) => isOwn).map(({ text }) => text.trim());

test("each column's words are marked against the first; the first's where no other has them", () => {
  const texts = ["the big red dog runs", "the red dog sleeps", "a red cat runs"];
  const columns = markColumns(texts);
  expect(columns.map((pieces) => pieces.map(({ text }) => text).join(""))).toEqual(texts);
  expect(own(columns[0]!)).toEqual(["big"]);
  expect(own(columns[1]!)).toEqual(["sleeps"]);
  expect(own(columns[2]!).join(" ")).toBe("a cat");
  expect(markColumns(["alone"])).toEqual([[{ text: "alone", isOwn: false }]]);
  expect(markColumns([])).toEqual([[{ text: "", isOwn: false }]]);
});

test("answers that would take too long to compare are shown unmarked, in time", () => {
  const text = (seed: number): string => Array.from({ length: 6000 }, (_, i) => `w${(i * seed) % 4999}`).join(" ");
  const [left, right] = [text(7), text(13)];
  const started = performance.now();
  expect(markColumns([left, right], 20)).toEqual([[{ text: left, isOwn: false }], [{ text: right, isOwn: false }]]);
  expect(performance.now() - started).toBeLessThan(1000); // a busy machine; without the limit it takes many seconds
});

test("tokens within a character are one group, whose surprise is their sum", () => {
  const groups = tokenGroups({ texts: ["a", "", "", "é", " b", ""], nats: [[1, 2, 3, 4, 5, 6], [0, 0, 1, 0, 0, 2]] });
  expect(groups).toEqual([
    { text: "a", tokens: 1, nats: [1, 0] },
    { text: "é", tokens: 3, nats: [9, 1] },
    { text: " b", tokens: 1, nats: [5, 0] },
    { text: "", tokens: 1, nats: [6, 2] },
  ]);
  expect(meanNats({ texts: ["a", "b"], nats: [[1, 3], [0, 1]] })).toEqual([2, 0.5]);
  expect(meanNats({ texts: [], nats: [[], []] })).toBeNull();
});

test("shades begin at 0.5, 1, 2, 4 and 8 nats, and numbers read as probabilities", () => {
  expect([0, 0.49, 0.5, 1.5, 3.9, 4, 8, 30].map(shadeOf)).toEqual([0, 0, 1, 2, 3, 4, 5, 5]);
  expect([0, Math.LN2, 6, 9.4, 40].map(formatProbability)).toEqual(["100 %", "50 %", "0.25 %", "1 in 12\u2009000", "hardly ever"]);
  expect([0, 1, 2].map((column) => shadingSubject("other", column))).toEqual([1, 0, 0]);
  expect([shadingSubject("own", 2), shadingSubject(1, 2)]).toEqual([2, 1]);
});

test("a way through a conversation ends where its newest turns lead", () => {
  const turns = [{ id: 1, parentId: null }, { id: 2, parentId: 1 }, { id: 3, parentId: 1 }, { id: 4, parentId: 2 }, { id: 5, parentId: null }];
  expect(pathTo(turns, 4).map(({ id }) => id)).toEqual([1, 2, 4]);
  expect(pathTo(turns, null)).toEqual([]);
  expect(siblings(turns, turns[2]!).map(({ id }) => id)).toEqual([2, 3]);
  expect(newestLeaf(turns, turns[0]!).id).toBe(3);
  expect(newestLeaf(turns, turns[1]!).id).toBe(4);
});

test("a tally says its counts, share, interval and test", () => {
  const tally = { runId: 1, own: "its adapter", rival: "the base", won: 5, lost: 1, ties: 1, bothBad: 2, share: { value: 5 / 6, low: 0.4365, high: 0.9699 }, p: 0.21875 };
  expect(tallyLine(tally)).toBe("won 5, lost 1, 1 tied, 2 both bad · 83 % (44 to 97 %) · p\u00a0=\u00a00.219");
  expect(tallyLine({ ...tally, won: 0, lost: 0, ties: 0, share: null, p: null })).toBe("won 0, lost 0, 2 both bad");
});

test("Enter sends, Shift with Enter does not, nor does an input method's", () => {
  const key = (name: string, more = {}) => sendKey({ key: name, shiftKey: false, isComposing: false, ...more });
  expect([key("Enter"), key("Enter", { shiftKey: true }), key("Enter", { isComposing: true }), key("Escape"), key("a")]).toEqual(["send", null, null, "escape", null]);
});
