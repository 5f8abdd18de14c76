// Numbers, places and form rules as the window states them.

import { expect, test } from "vitest";
import { runParams } from "../../main/rpc/contract.ts";
import { makeBatches } from "../../native-models/data/batches.ts";
import { issuesByField, planSteps } from "../../renderer/draw/form.ts";
import * as f from "../../renderer/draw/format.ts";
import { parseHash, pathTo } from "../../renderer/state/route.svelte.ts";
import { shortcutPage } from "../../renderer/state/shortcuts.ts";
import { shownEntries } from "../../renderer/state/files.svelte.ts";
import { socketAddress } from "../../renderer/state/transport.ts";

test.each([
  [f.formatBytes(0), "0 B"],
  [f.formatBytes(269_060_552), "257 MiB"],
  [f.formatCount(134_515_008), "135 M"],
  [f.formatCount(9_999), "9\u2009999"],
  [f.formatWhole(49_152), "49\u2009152"],
  [f.formatDuration(3_700), "3.7 s"],
  [f.formatDuration(59_600), "1 min 00 s"],
  [f.formatDuration(7_380_000), "2 h 03 min"],
  [f.formatLeft(3_000), "a few seconds"],
  [f.formatLeft(150_000), "about 3 min"],
  [f.formatNumber(0.0002), "2e-4"],
  [f.formatNumber(NaN), "not a number"],
  [f.formatPercent(0.153), "15.3 %"],
  [f.formatPercent(1), "100 %"],
  [f.baseName("C:\\models\\smol\\"), "smol"],
  [f.plural(1, "row"), "1 row"],
])("%s reads as %s", (written, wanted) => {
  expect(written).toBe(wanted);
});

test("every page's address leads back to it, and an unknown one to the models", () => {
  expect(parseHash(pathTo.run(7))).toMatchObject({ page: "run", id: 7 });
  expect(parseHash(pathTo.newRun("/a b&c")).query.get("model")).toBe("/a b&c");
  expect(parseHash(pathTo.compare(3)).query.get("run")).toBe("3");
  for (const hash of ["", "#/", "#/runs/../etc", "#/nowhere", "#/models"]) expect(parseHash(hash).page).toBe(hash.startsWith("#/runs") ? "runs" : "models");
});

test("Alt with a number leads to a page, and nothing else does", () => {
  const key = { altKey: true, ctrlKey: false, metaKey: false, shiftKey: false, code: "Digit3" };
  expect(shortcutPage(key)).toBe(pathTo.runs);
  expect([shortcutPage({ ...key, altKey: false }), shortcutPage({ ...key, ctrlKey: true }), shortcutPage({ ...key, code: "Digit9" })]).toEqual([null, null, null]);
});

test("the socket's address is the page's host, with its token", () => {
  expect(socketAddress("http://127.0.0.1:4700/?token=a%2Bb#/runs")).toBe("ws://127.0.0.1:4700/rpc?token=a%2Bb");
  expect(socketAddress("https://box.example/")).toBe("wss://box.example/rpc");
});

test("a folder is chosen among folders, a file among files of its kinds", () => {
  const entry = (name: string, kind: "folder" | "model" | "data") => ({ name, kind, path: `/${name}`, sizeBytes: null, modifiedMs: 0 });
  const entries = [entry("a", "folder"), entry("m", "model"), entry("rows.JSONL", "data"), entry("w.safetensors", "data")];
  expect(shownEntries(entries, "folder", []).map(({ name }) => name)).toEqual(["a", "m"]);
  expect(shownEntries(entries, "file", ["jsonl"]).map(({ name }) => name)).toEqual(["a", "m", "rows.JSONL"]);
});

test.each([
  { keptRows: 720, batch: 4, accumulate: 4, epochs: 1 },
  { keptRows: 33, batch: 4, accumulate: 2, epochs: 2.5 },
  { keptRows: 5, batch: 8, accumulate: 4, epochs: 3 },
])("the form promises as many steps as the trainer takes: $keptRows rows, $epochs epochs", ({ keptRows, batch, accumulate, epochs }) => {
  const batches = makeBatches({ lengths: { length: keptRows }, batch, accumulate, seed: 0, epochs });
  expect(planSteps({ keptRows, batch, accumulate, steps: null, epochs })).toMatchObject({ steps: batches.steps, stepsPerEpoch: batches.stepsPerEpoch });
});

test("what a schema finds wrong is said at its field", () => {
  const checked = runParams.safeParse({ model: "/m", questions: "", data: "/d", rank: 0, probe: { questions: "" } });
  expect(Object.keys(issuesByField(checked.error?.issues ?? [])).sort()).toEqual(["probe.questions", "questions", "rank"]);
});
