// `nullspace study` on fake jobs: every cell once, in files; what it says of them.

import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runCli } from "../../main/cli/main.ts";
import { cellsOf, type CellResult } from "../../main/cli/study/cells.ts";
import { drawStudy } from "../../main/cli/study/plot.ts";
import { studyCsv, studyTable, summaryOf } from "../../main/cli/study/summary.ts";
import { linearScale } from "../../main/services/pictures/svg.ts";
import { fakeReaders, fakeWorld, jobsModule, type FakeWorld } from "../services/fake-app.ts";

describe("the command", () => {
  let world: FakeWorld;
  beforeEach(() => (world = fakeWorld()));
  afterEach(() => world.remove());

  async function study(...more: string[]) {
    let [stdout, stderr] = ["", ""];
    const io = { stdout: { write: (text: string) => (stdout += text) }, stderr: { write: (text: string) => (stderr += text) }, signal: new AbortController().signal };
    const args = ["study", "--model", world.model("plain"), "--questions", world.questions, "--kept-questions", world.questions, "--data", world.data, "--samples", "3", "--steps", "6", "--out", join(world.folder, "study"), ...more];
    const code = await runCli(args, io, { home: world.home, engine: { jobsModule, graceMs: 500 }, readers: fakeReaders, pollMs: 50 });
    return { code, stdout, stderr };
  }
  const cellFiles = () => readdirSync(join(world.folder, "study", "cells")).sort();

  test("runs every cell once, and a second call only what is new", async () => {
    const first = await study("--methods", "lora,task-null", "--lrs", "1e-3");
    expect(first).toMatchObject({ code: 0 });
    expect(cellFiles()).toEqual(["lora-r16-lr0.001-s0.json", "task-null-r16-lr0.001-s0.json"]);
    expect(JSON.parse(readFileSync(join(world.folder, "study/cells/lora-r16-lr0.001-s0.json"), "utf8"))).toMatchObject({ status: "done", taskNats: 1.25, kept: { share: 0.88, questions: 64 } });
    expect(first.stdout).toMatch(/task-null\*\* \| 16 .* 1\.250 .* 88\.0 %/);

    rmSync(join(world.folder, "study/cells/lora-r16-lr0.001-s0.json"));
    const second = await study("--methods", "lora,task-null", "--lrs", "1e-3,2e-3");
    expect(second.stderr).toContain("1 of 4 cells are there from before.");
    expect(cellFiles()).toHaveLength(4);
    for (const file of ["table.md", "table.csv", "summary.json", "study.svg", "study.json"]) expect(readFileSync(join(world.folder, "study", file), "utf8").length, file).toBeGreaterThan(100);
  });

  test("a folder with other settings is refused, and so is an unknown method", async () => {
    await study("--methods", "lora", "--lrs", "1e-3");
    expect((await study("--methods", "lora", "--lrs", "1e-3", "--length", "64")).stderr).toContain("The folder holds a study with other settings.");
    expect((await study("--methods", "dora")).stderr).toContain('"dora" is none of lora-null-v2');
  });
});

const cell = (changes: Partial<CellResult>): CellResult => ({ method: "lora", rank: 16, learningRate: 1e-3, seed: 0, status: "done", why: null, taskNats: 1, kept: { share: 0.9, low: 0.85, high: 0.95, questions: 64 }, elapsedMs: 1, ...changes });

test("cells are ordered so that a stopped study has a bit of every method", () => {
  expect(cellsOf(["lora", "eva"], [8], [1e-3, 2e-3], [0, 1]).slice(0, 4).map(({ method, learningRate }) => [method, learningRate])).toEqual([["lora", 1e-3], ["eva", 1e-3], ["lora", 2e-3], ["eva", 2e-3]]);
});

const kept = (share: number): CellResult["kept"] => ({ share, low: share - 0.05, high: share + 0.05, questions: 64 });

test("seeds give a mean with its standard error, failures are counted, and only what nothing beats in both is marked", () => {
  const { settings } = summaryOf([
    cell({ taskNats: 0.8 }), cell({ seed: 1, taskNats: 1 }),
    cell({ method: "eva", taskNats: 1, kept: kept(0.8) }),
    cell({ method: "task-null", taskNats: 0.95, kept: kept(1) }),
    cell({ method: "pissa", status: "failed", why: "diverged", taskNats: null, kept: null }),
  ], 0.95);
  expect(settings.map(({ method, seeds, failed, taskNats, isOnFront }) => [method, seeds, failed, taskNats?.mean ?? null, isOnFront])).toEqual([
    ["eva", 1, 0, 1, false], ["lora", 2, 0, 0.9, true], ["pissa", 1, 1, null, false], ["task-null", 1, 0, 0.95, true],
  ]);
  expect(settings[1]!.taskNats!.standardError).toBeCloseTo(0.1, 12); // deviation 0.1·√2 over √2 seeds
  expect(settings[0]!.taskNats!.standardError).toBeNull();
});

test("settings are compared with LoRA's best seed by seed: what all methods share at a seed cancels", () => {
  const rows = [0.5, 0.9, 1.4]; // held-out rows of unequal difficulty
  const summary = summaryOf(rows.flatMap((nats, seed) => [cell({ seed, taskNats: nats }), cell({ method: "lora-null-v2", seed, taskNats: nats - 0.1 - 0.01 * seed, kept: kept(0.97) })]).concat(cell({ method: "eva", seed: 9 })), 0.95);
  expect(summary.reference).toEqual({ method: "lora", rank: 16, learningRate: 1e-3 });
  const [eva, lora, v2] = summary.settings;
  expect([eva!.against, lora!.against, v2!.against!.pairs]).toEqual([null, null, 3]);
  expect(v2!.against!.taskNats.mean).toBeCloseTo(-0.11, 12);
  expect(v2!.against!.taskNats.standardError).toBeCloseTo(0.01 / Math.sqrt(3), 12);
  expect(v2!.against!.kept.mean).toBeCloseTo(0.07, 12);
  expect(v2!.taskNats!.standardError).toBeGreaterThan(0.2);
  expect(studyTable(summary)).toContain("−0.110 ± 0.006");
  expect(studyCsv(summary).split("\n")[3]).toMatch(/^lora-null-v2,16,0.001,3,0,0.82/);
});

test("the best rate learns most among those that keep the floor; where none does, it keeps most", () => {
  const at = (method: CellResult["method"], learningRate: number, taskNats: number, share: number) => cell({ method, learningRate, taskNats, kept: kept(share) });
  const { settings, rule } = summaryOf([
    at("lora", 1e-4, 1.2, 0.99), at("lora", 1e-3, 1.0, 0.96), at("lora", 5e-3, 0.8, 0.9),
    at("eva", 1e-4, 1.1, 0.9), at("eva", 1e-3, 0.9, 0.7),
    at("pissa", 1e-4, 1.1, 0.99), at("pissa", 1e-3, 0.9, 0.99), cell({ method: "pissa", learningRate: 1e-3, seed: 1, status: "failed", taskNats: null, kept: null }),
  ], 0.95);
  expect(settings.filter(({ isBest }) => isBest).map(({ method, learningRate }) => [method, learningRate])).toEqual([["eva", 1e-4], ["lora", 1e-3], ["pissa", 1e-4]]);
  expect(rule).toContain("lowest mean task loss among the rates that keep at least 95 %");
});

test("the picture has a point a setting and a line a method, and says so when nothing is done", () => {
  const svg = drawStudy(summaryOf([cell({}), cell({ seed: 1, taskNats: 1.02 }), cell({ learningRate: 2e-3, taskNats: 0.9 }), cell({ method: "eva", taskNats: 1.1 })], 0.95).settings, "A <study>");
  expect(svg.match(/<circle/g)).toHaveLength(3);
  expect(svg.match(/<title>/g)).toHaveLength(3);
  expect(svg).toContain("A &lt;study&gt;");
  expect(svg).not.toContain("NaN");
  expect(drawStudy([], "none")).toContain("No cell is done yet.");
});

test.each([{ range: [0, 1] }, { range: [-3.2, 17] }, { range: [0.8123, 0.8127] }, { range: [5, 5] }] as { range: [number, number] }[])("ticks of $range are round, inside and between two and eight", ({ range }) => {
  const scale = linearScale(range, [0, 100]);
  expect(scale.ticks.length).toBeGreaterThanOrEqual(2);
  expect(scale.ticks.length).toBeLessThanOrEqual(8);
  for (const tick of scale.ticks) expect(scale(tick)).toBeGreaterThanOrEqual(-1e-6);
  for (const tick of scale.ticks) expect(scale(tick)).toBeLessThanOrEqual(100 + 1e-6);
});
