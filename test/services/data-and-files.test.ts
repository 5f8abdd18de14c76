import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openApp, type App } from "../../main/services/app.ts";
import { homeFolder } from "../../main/services/home.ts";
import { previewQuestionsParams, previewRowsParams } from "../../main/services/params.ts";
import { keptToken } from "../../main/services/serve-token.ts";
import { writeTinyModel } from "../support/tiny-model.ts";
import { fakeWorld, runSettings, type FakeWorld } from "./fake-app.ts";

let world: FakeWorld;
let app: App;
let model = "";
beforeEach(() => {
  world = fakeWorld();
  app = openApp({ home: world.home, pollMs: 50 }); // the real readers
  model = join(world.folder, "tiny");
  writeTinyModel(model);
});
afterEach(async () => {
  await app.close();
  await world.remove();
});

function jsonl(name: string, rows: object[]): string {
  const path = join(world.folder, name);
  writeFileSync(path, rows.map((row) => JSON.stringify(row)).join("\n"));
  return path;
}

test("a preview of training rows shows trained tokens, counts and what is dropped", async () => {
  const path = jsonl("train.jsonl", [
    { instruction: "add 1 and 1", output: "2" },
    { instruction: "say nothing", output: "" },
    { instruction: "x ".repeat(900), output: "y" },
  ]);
  const preview = await app.services.data.previewRows(previewRowsParams.parse({ path, model, template: "alpaca", length: 400 }));
  expect(preview).toMatchObject({ layout: "alpaca", template: "alpaca", counts: { total: 3, kept: 1, tooLong: 1, empty: 1 }, lengthLimit: 400 });
  expect(preview.histogram.counts.reduce((sum, count) => sum + count)).toBe(3);
  const [first] = preview.rows;
  expect(first!.chips.map((chip) => chip.text).join("")).toContain("add 1 and 1");
  const trained = first!.chips.filter((chip) => chip.isTrained);
  expect(trained.map((chip) => chip.text).join("")).toContain("2");
  expect(trained.at(-1)!.isSpecial, "the end of text is trained").toBe(true);
  expect(preview.rows[2]!.fate).toBe("too-long");
});

test("turning pages gives other rows with the same counts", async () => {
  const path = jsonl("train.jsonl", Array.from({ length: 30 }, (_, index) => ({ query: `q${index}`, response: `r${index}` })));
  const page = (offset: number) => app.services.data.previewRows(previewRowsParams.parse({ path, model, template: "alpaca", offset, limit: 5 }));
  const [first, second] = [await page(0), await page(5)];
  expect(second.counts).toEqual(first.counts);
  expect(second.rows.map((row) => row.index)).toEqual([5, 6, 7, 8, 9]);
  writeFileSync(path, '{"query": "q", "response": "r"}\n');
  expect((await page(0)).counts.total, "a changed file is looked at anew").toBe(1);
});

test("a preview of questions counts answers, and tokens when a model is given", async () => {
  const path = jsonl("questions.jsonl", [{ question: "what is up", answer: ["the sky"] }, { question: "why" }]);
  const preview = await app.services.data.previewQuestions(previewQuestionsParams.parse({ path, model }));
  expect(preview).toMatchObject({ total: 2, withAnswers: 1, questions: [{ index: 0, answers: ["the sky"] }, { index: 1, answers: [] }] });
  expect(preview.totalTokens).toBeGreaterThan(2);
  expect((await app.services.data.previewQuestions(previewQuestionsParams.parse({ path }))).totalTokens).toBeNull();
});

test("a broken row is named with its place", async () => {
  const path = join(world.folder, "broken.jsonl");
  writeFileSync(path, '{"query": "a", "response": "b"}\n{"query": "a", \n');
  await expect(app.services.data.previewRows(previewRowsParams.parse({ path, model, template: "alpaca" }))).rejects.toMatchObject({ name: "UserError", where: expect.stringContaining("broken.jsonl") });
});

test("the picker lists folders, models and data files and nothing else", () => {
  const dir = join(world.folder, "pick");
  mkdirSync(join(dir, "sub"), { recursive: true });
  writeTinyModel(join(dir, "llm"));
  for (const name of ["rows.jsonl", "TABLE.CSV", "id_rsa", "notes.md", ".hidden.jsonl"]) writeFileSync(join(dir, name), "x");
  symlinkSync(join(dir, "nowhere"), join(dir, "dangling.jsonl"));
  const listing = app.services.files.list(dir);
  expect(listing.entries.map((entry) => [entry.name, entry.kind])).toEqual([["llm", "model"], ["rows.jsonl", "data"], ["sub", "folder"], ["TABLE.CSV", "data"]]);
  expect(listing.parent).toBe(world.folder);
  expect(app.services.files.list(null).places.map((place) => place.name)).toContain("Home");
  expect(() => app.services.files.list(join(dir, "rows.jsonl"))).toThrow(/cannot be listed/);
});

test("settings keep the theme and the last run's settings", () => {
  expect(app.services.settings.get()).toEqual({ theme: "system", lastRun: null });
  app.services.settings.set({ theme: "dark" });
  const { services } = world.open();
  services.runs.start(runSettings(world, "plain", { rank: 8 }));
  expect(app.services.settings.get()).toMatchObject({ theme: "dark", lastRun: { rank: 8, steps: 6 } });
});

test("the store's place follows NULLSPACE_HOME, then the system's own", () => {
  expect(homeFolder({ NULLSPACE_HOME: "/x/y" }, "linux")).toBe("/x/y");
  expect(homeFolder({ XDG_DATA_HOME: "/data" }, "linux")).toBe(join("/data", "nullspace"));
  expect(homeFolder({}, "linux")).toMatch(/\.local.share.nullspace$/);
  expect(homeFolder({ APPDATA: "/roaming" }, "win32")).toBe(join("/roaming", "Nullspace"));
  expect(homeFolder({}, "darwin")).toMatch(/Library.Application Support.Nullspace$/);
});

test("the serve token is kept between starts", () => {
  expect(keptToken(world.home)).toBe(keptToken(world.home));
  expect(keptToken(world.home)).toMatch(/^[\w-]{32}$/);
});
