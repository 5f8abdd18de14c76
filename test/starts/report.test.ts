// The report of a real start of a tiny model, and what is drawn from one.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runCalibrateTask } from "../../main/engine/jobs/calibrate.ts";
import { runStartReport } from "../../main/engine/jobs/start-report.ts";
import { openPngPainter } from "../../main/services/pictures/png.ts";
import { drawHeat } from "../../main/services/pictures/start-heat.ts";
import { drawLayer, percent } from "../../main/services/pictures/start-layer.ts";
import { paper } from "../../main/services/pictures/svg.ts";
import type { StartReport } from "../../native-models/starts/report.ts";
import { readStart } from "../../native-models/starts/start-folder.ts";
import { tempFolder } from "../data/temp-files.ts";
import { fakeStartReport } from "../support/fake-start-report.ts";
import { tinyRun } from "../support/tiny-run.ts";

const signal = new AbortController().signal;

test("of a LoRA-Null start: its adapters see exactly the energy that the solver reports", async () => {
  const folder = tempFolder({});
  const run = tinyRun(folder);
  const start = await run.start("lora-null-v2");
  const [grams, taskGrams, out] = ["grams.safetensors", "task-grams.safetensors", "report.json"].map((name) => join(folder, name)) as [string, string, string];
  await runCalibrateTask({ kind: "calibrate-task", model: run.model, data: run.data, mapping: null, split: null, template: "chat", samples: 6, length: 24, seed: 0, scaling: "raw", memoryBytes: null, out: taskGrams }, () => {}, signal);
  await runStartReport({ kind: "start-report", model: run.model, start, grams, taskGrams, out }, () => {}, signal);
  const report = JSON.parse(readFileSync(out, "utf8")) as StartReport;
  expect(report).toMatchObject({ method: "lora-null-v2", rank: 4, spectrumOf: "knowledge" });
  expect(report.inputs).toHaveLength(4 * report.layers);
  expect(report.modules).toHaveLength(7 * report.layers);
  const { energies } = readStart(start).info;
  for (const { layer, input, energy, totalEnergy } of energies) {
    const projection = { attention: "q_proj", attentionOutput: "o_proj", mlp: "up_proj", mlpDown: "down_proj" }[input];
    const found = report.modules.find((module) => module.layer === layer && module.projection === projection)!;
    expect(found.knowledgeShare! / (energy / totalEnergy), `layer ${layer}, ${input}`).toBeCloseTo(1, 3); // A is float32
    expect(found.taskShare).toBeGreaterThan(0);
  }
  for (const { anglesDegrees, effectiveRank, size, spectrum } of report.inputs) {
    expect(anglesDegrees).toEqual([...anglesDegrees!].sort((a, b) => a - b));
    expect(effectiveRank).toBeGreaterThan(1);
    expect(effectiveRank).toBeLessThan(size);
    expect(spectrum).toEqual([...spectrum].sort((a, b) => a - b));
  }
});

test.each([[true, true], [true, false], [false, true]])("pictures are whole with knowledge %s and task %s", (hasKnowledge, hasTask) => {
  const report = fakeStartReport(hasKnowledge, hasTask);
  const layer = drawLayer(report, 1, paper);
  expect(layer.match(/>rank 2</g)).toHaveLength(4); // the cut of each input
  const { svg } = drawHeat(report, paper);
  expect(svg.match(/<title>/g)).toHaveLength(14 * (1 + Number(hasKnowledge) + Number(hasTask) + Number(hasKnowledge && hasTask)));
  for (const text of [layer, svg]) {
    expect(text).not.toMatch(/NaN|undefined|Infinity/);
    expect(text.match(/<g[ >]/g)?.length).toBe(text.match(/<\/g>/g)?.length);
  }
});

test("the four panels of a layer stand in one row, two or four, as the width allows, and never past it", () => {
  const report = fakeStartReport(true, true);
  for (const [width, columns] of [[420, 1], [642, 2], [1180, 2], [1240, 4]] as const) {
    const svg = drawLayer(report, 0, paper, width);
    const places = [...svg.matchAll(/<g transform="translate\(([\d.]+) ([\d.]+)\)">/g)].map(([, x, y]) => ({ x: Number(x), y: Number(y) }));
    expect(new Set(places.map(({ x }) => x)).size, `${width} wide`).toBe(columns);
    expect(new Set(places.map(({ y }) => y)).size).toBe(4 / columns);
    expect(svg).toContain(`width="${width}"`);
  }
});

test("a PNG is the picture at twice its size, with its letters", async () => {
  const paint = await openPngPainter();
  const { svg } = drawHeat(fakeStartReport(true, true), paper);
  const sizeOf = (png: Uint8Array): number[] => [Buffer.from(png).readUInt32BE(16), Buffer.from(png).readUInt32BE(20)]; // of the header chunk
  const [, width, height] = /width="(\d+)" height="(\d+)"/.exec(svg)!;
  const png = paint(svg);
  expect(Buffer.from(png).subarray(1, 4).toString()).toBe("PNG");
  expect(sizeOf(png)).toEqual([2 * Number(width), 2 * Number(height)]);
  // Letters take bytes: a painter without a typeface leaves them out without a word.
  const blank = paint(svg.replace(/<text.*?<\/text>/g, ""));
  expect(png.length).toBeGreaterThan(1.3 * blank.length);
  expect((await openPngPainter())(svg)).toEqual(png);
});

test("shares are written with three digits, however small", () => {
  expect([0.123456, 0.0001234, 2.5e-10, 0, 1e-17, -4.7e-19].map(percent)).toEqual(["12.3 %", "0.0123 %", "2.5e-8 %", "0 %", "less than 1e-12 %", "less than 1e-12 %"]);
});
