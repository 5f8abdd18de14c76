import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openStore, type Store } from "../../main/db/store.ts";

let folder = "";
let store: Store;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "nullspace-store-"));
  store = openStore(join(folder, "nullspace.db"));
  addOwner("me");
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true, force: true });
});

function addOwner(owner: string) {
  store.owners.add({ owner, host: "here", pid: 1, heartbeatMs: 0 });
}

function addRun(owner = "me", configKey = "key"): number {
  return store.runs.insert(
    { name: "run", kind: "full", config: { rank: 4 }, configKey, modelPath: "/m", modelName: "m", owner, createdMs: 1 },
    (id) => `/runs/${id}`,
  );
}

const point = (step: number, lossNats = 2) => ({ step, lossNats, learningRate: 1e-4, gradNorm: 1, tokens: 10, tokensPerSecond: 5, elapsedMs: 2 });

test("a run knows its folder, settings and last point", () => {
  const id = addRun();
  store.runPoints.putAll(id, [point(1), point(2, 1.5)]);
  expect(store.runs.find(id)).toMatchObject({ folder: `/runs/${id}`, config: { rank: 4 }, status: "queued", lastStep: 2, lastLossNats: 1.5 });
});

test("only one run is claimed at a time, whoever owns it", () => {
  addOwner("other");
  const [mine, theirs] = [addRun("me"), addRun("other")];
  expect(store.runs.claim(mine, "me", 5)).toBe(true);
  expect(store.runs.claim(theirs, "other", 5)).toBe(false);
  expect(store.runs.end(mine, "me", "done", null, 6)).toBe(true);
  expect(store.runs.claim(theirs, "other", 7)).toBe(true);
});

test("a process that was declared dead cannot write over the run", () => {
  const id = addRun();
  store.runs.claim(id, "me", 5);
  store.owners.remove("me");
  expect(store.runs.orphans()).toEqual([id]);
  expect(store.runs.interrupt(id, { what: "w", where: "r", fix: "f", isBug: false }, 9)).toBe(true);
  expect(store.runs.end(id, "me", "done", null, 10)).toBe(false);
  expect(store.runs.setStage(id, "me", "train")).toBe(false);
  expect(store.runs.find(id)).toMatchObject({ status: "interrupted", endedMs: 9, owner: null });
});

test("a stopped run is found by its settings and queued again once", () => {
  const id = addRun();
  store.runs.claim(id, "me", 5);
  expect(store.runs.findStopped("key")).toBeNull();
  store.runs.end(id, "me", "failed", { what: "w" }, 6);
  expect(store.runs.findStopped("key")?.id).toBe(id);
  expect(store.runs.requeue(id, "me", { rank: 4 })).toBe(true);
  expect(store.runs.requeue(id, "me", { rank: 4 })).toBe(false);
  expect(store.runs.find(id)).toMatchObject({ status: "queued", error: null, endedMs: null });
});

test("a run that works is not deleted; a stopped one goes with all its rows", () => {
  const id = addRun();
  store.runs.claim(id, "me", 5);
  expect(store.runs.remove(id)).toBe(false);
  store.runPoints.putAll(id, [point(1)]);
  store.runs.end(id, "me", "done", null, 6);
  expect(store.runs.remove(id)).toBe(true);
  expect(store.runPoints.after(id, 0, 10)).toEqual([]);
  expect(addRun(), "ids are not given twice").toBeGreaterThan(id);
});

test("a loss that is not a number survives the store", () => {
  const id = addRun();
  store.runPoints.putAll(id, [point(1, NaN), point(2, Infinity)]);
  expect(store.runPoints.after(id, 0, 10).map((row) => row.lossNats)).toEqual([NaN, Infinity]);
});

test("points after a checkpoint are taken back when a run resumes from it", () => {
  const id = addRun();
  store.runPoints.putAll(id, [1, 2, 3, 4].map((step) => point(step)));
  store.runPoints.removeAfter(id, 2);
  expect(store.runPoints.after(id, 0, 10).map((row) => row.step)).toEqual([1, 2]);
});

test("the time at work is the sum of its spans, without the pauses between them", () => {
  const id = addRun();
  expect(store.runs.find(id)!.workedMs).toBeNull();
  store.runSpans.begin(id, "init", 100);
  store.runSpans.see(id, 150);
  store.runSpans.begin(id, "train", 150);
  store.runSpans.see(id, 450);
  store.runSpans.begin(id, "train", 90_000); // resumed much later
  store.runSpans.see(id, 90_200);
  store.runSpans.see(id, 90_100); // a clock that was moved back takes nothing away
  expect(store.runs.find(id)!.workedMs).toBe(550);
  expect(store.runSpans.byStage(id)).toEqual(new Map([["init", 50], ["train", 500]]));
  expect(store.runSpans.lastSeen(id)).toBe(90_200);
});

test("points can be thinned to every so many steps", () => {
  const id = addRun();
  store.runPoints.putAll(id, [1, 2, 3, 4, 5, 6, 7].map((step) => point(step)));
  expect(store.runPoints.after(id, 0, 10, 3).map((row) => row.step)).toEqual([3, 6]);
});

test("measurements of retention are kept a step, from step 0, and taken back after a checkpoint", () => {
  const [id, copy] = [addRun(), addRun()];
  const at = (step: number, exact: { base: number; now: number } | null = null) => ({ step, retention: 0.9, low: 0.85, high: 0.95, baseNats: -2, nats: -2.1, exact, questions: 32, isAbove: step < 4, elapsedMs: 5 });
  for (const row of [at(0), at(2, { base: 4, now: 3 }), at(4), at(2)]) store.runRetentions.put(id, row);
  expect(store.runRetentions.after(id, -1)).toEqual([at(0), at(2), at(4)]);
  expect(store.runRetentions.after(id, 2)).toEqual([at(4)]);
  store.runRetentions.put(id, at(2, { base: 4, now: 3 }));
  store.runRetentions.removeAfter(id, 2);
  store.runRetentions.copy(id, copy);
  expect(store.runRetentions.after(copy, -1)).toEqual([at(0), at(2, { base: 4, now: 3 })]);
});

test("flips are the questions that the tuned model lost or gained", () => {
  const probe = store.probes.insert({ runId: null, key: "k", baseKey: "b", style: "knowledge", config: {}, owner: "me", createdMs: 1 });
  const answer = (index: number, subject: "base" | "tuned", isExact: boolean) => ({
    index, subject, isExact, question: `q${index}`, accepted: ["yes"], prompt: "p", answer: "a", isContained: isExact, logLikelihoodNats: -1, measures: { strict: Number(isExact) }, verdict: null,
  });
  store.probeAnswers.putAll(probe, [
    answer(0, "base", true), answer(0, "tuned", true), answer(1, "base", true), answer(1, "tuned", false),
    answer(2, "base", false), answer(2, "tuned", true), answer(3, "base", false), answer(3, "tuned", false),
  ]);
  const choice = { search: "", order: "file", offset: 0, limit: 10 } as const;
  const indexes = (only: "all" | "lost" | "gained" | "kept" | "wrong") => [...new Set(store.probeAnswers.page(probe, { ...choice, only }).map((row) => row.index))];
  expect(indexes("all")).toEqual([0, 1, 2, 3]);
  expect(indexes("lost")).toEqual([1]);
  expect(indexes("gained")).toEqual([2]);
  expect(indexes("kept")).toEqual([0]);
  expect(indexes("wrong")).toEqual([3]);
  expect(store.probeAnswers.count(probe, "")).toEqual({ lost: 1, gained: 1, kept: 1, wrong: 1 });
  expect(store.probeAnswers.page(probe, { ...choice, only: "all", offset: 1, limit: 1 }).map((row) => row.subject)).toEqual(["base", "tuned"]);
});

test("answers are searched as they are written and ordered by the change of likelihood", () => {
  const probe = store.probes.insert({ runId: null, key: "k", baseKey: "b", style: "knowledge", config: {}, owner: "me", createdMs: 1 });
  const answer = (index: number, subject: "base" | "tuned", nats: number, text: string) => ({
    index, subject, isExact: false, question: `what is ${index}`, accepted: [`right ${index}`], prompt: "p", answer: text, isContained: false, logLikelihoodNats: nats, measures: {}, verdict: null,
  });
  store.probeAnswers.putAll(probe, [
    answer(0, "base", -1, "100 %"), answer(0, "tuned", -2, "a_b"), answer(1, "base", -3, "none"), answer(1, "tuned", -1, "Paris"),
    answer(2, "base", -1, "100 x"), answer(2, "tuned", -4, "\\"), answer(3, "base", NaN, "aXb"), answer(3, "tuned", -1, "none"),
  ]);
  const found = (search: string, order: "file" | "fell" | "rose" = "file") => store.probeAnswers.page(probe, { only: "all", search, order, offset: 0, limit: 10 }).filter(({ subject }) => subject === "base").map(({ index }) => index);
  expect(found("", "fell")).toEqual([2, 0, 1, 3]);
  expect(found("", "rose")).toEqual([1, 0, 2, 3]);
  expect(found("paris")).toEqual([1]);
  expect(found("RIGHT 2")).toEqual([2]);
  expect([found("%"), found("_"), found("\\"), found("nothing")]).toEqual([[0], [0], [2], []]);
  expect(store.probeAnswers.count(probe, "none")).toEqual({ lost: 0, gained: 0, kept: 0, wrong: 2 });
});

test("two connections see each other's rows and the counter of foreign changes moves", () => {
  const other = openStore(join(folder, "nullspace.db"));
  const before = other.foreignChanges();
  const id = addRun();
  expect(other.foreignChanges()).not.toBe(before);
  expect(other.runs.requestCancel(id)).toBe(true);
  expect(store.runs.cancelWanted("me")).toEqual([id]);
  other.close();
});
