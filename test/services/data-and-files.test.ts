import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openApp, type App } from "../../main/services/app.ts";
import { homeFolder } from "../../main/services/home.ts";
import { previewQuestionsParams, previewRowsParams } from "../../main/services/params/data.ts";
import type { RunSettings } from "../../main/services/params/runs.ts";
import { keptToken } from "../../main/services/serve-token.ts";
import { writeTinyModel } from "../support/tiny-model.ts";
import { collect, fakeWorld, runSettings, until, type FakeWorld } from "./fake-app.ts";

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

async function preview(params: Parameters<typeof previewRowsParams.parse>[0]) {
  const events = await collect(app.services.data.previewRows(previewRowsParams.parse(params)));
  const [first, last] = [events[0]!, events.at(-1)!];
  if (first.type !== "head" || last.type !== "done") throw new Error("a preview begins with the head and ends when it is done");
  return { head: first.head, ...last, events };
}

test("a preview of training rows shows trained tokens, counts and what is dropped", async () => {
  const path = jsonl("train.jsonl", [
    { instruction: "add 1 and 1", output: "2" },
    { instruction: "say nothing", output: "" },
    { instruction: "x ".repeat(900), output: "y" },
  ]);
  const { head, account, refusal } = await preview({ path, model, template: "alpaca", length: 400 });
  expect(head).toMatchObject({ format: { name: "alpaca" }, template: { name: "alpaca" } });
  expect(account).toMatchObject({ counts: { total: 3, kept: 1, tooLong: 1, empty: 1 }, length: 400 });
  expect(refusal).toBeNull();
  expect(account!.histogram.counts.reduce((sum, count) => sum + count)).toBe(3);
  const [first] = head.rows;
  expect(first!.chips.map((chip) => chip.text).join("")).toContain("add 1 and 1");
  const trained = first!.chips.filter((chip) => chip.isTrained);
  expect(trained.map((chip) => chip.text).join("")).toContain("2");
  expect(trained.at(-1)!.isSpecial, "the end of text is trained").toBe(true);
  expect(head.rows.map(({ fate }) => fate)).toEqual(["kept", "empty", "too-long"]);
});

test("turning pages gives other rows with the same counts, which are not counted again", async () => {
  const path = jsonl("train.jsonl", Array.from({ length: 90 }, (_, index) => ({ query: `q${index}`, response: `r${index}` })));
  const page = (offset: number) => preview({ path, model, template: "alpaca", offset, limit: 5 });
  const [first, second] = [await page(0), await page(65)];
  expect(second.account).toEqual(first.account);
  expect(second.head.rows.map((row) => row.index)).toEqual([65, 66, 67, 68, 69]);
  expect(first.events.some(({ type }) => type === "progress")).toBe(true);
  expect(second.events.some(({ type }) => type === "progress")).toBe(false);
  writeFileSync(path, '{"query": "q", "response": "r"}\n');
  expect((await page(0)).account?.counts.total, "a changed file is looked at anew").toBe(1);
});

test("columns that nobody knows are mapped by hand, and the mapping holds for the counts too", async () => {
  const path = jsonl("odd.jsonl", [{ frage: "was", antwort: "das" }]);
  const unknown = await preview({ path, model });
  expect(unknown).toMatchObject({ head: { format: null, columns: [{ name: "frage" }, { name: "antwort" }] }, account: null });
  const mapped = await preview({ path, model, mapping: { kind: "pair", prompt: "frage", completion: "antwort" } });
  expect(mapped).toMatchObject({ head: { format: { name: "by hand" } }, account: { counts: { kept: 1 } } });
});

test("a preview that is left stops counting", async () => {
  const path = jsonl("long.jsonl", Array.from({ length: 20_000 }, (_, index) => ({ query: `what is ${index}`, response: "the answer" })));
  const seen: string[] = [];
  for await (const event of app.services.data.previewRows(previewRowsParams.parse({ path, model, template: "alpaca" }))) {
    seen.push(event.type);
    if (event.type === "progress" && event.progress.stage === "Counting rows") break;
  }
  expect(seen[0]).toBe("head");
  expect(seen).not.toContain("done");
});

test("a run of rows whose columns are only guessed is refused until they are confirmed", async () => {
  const { services } = world.open();
  const data = jsonl("guess.jsonl", [{ problem: "1 + 1", solution: "2" }]);
  const start = (mapping: RunSettings["mapping"], changes = {}) => services.runs.start({ ...runSettings(world, "plain", { probe: null }), data, mapping, ...changes });
  await expect(start(null)).rejects.toMatchObject({ what: expect.stringContaining("a guess"), fix: expect.stringContaining("--map prompt=problem,completion=solution") });
  await expect(start({ kind: "pair", prompt: "problem", completion: "result" })).rejects.toThrow(/no column "result"/);
  const mapping = { kind: "pair", prompt: "problem", completion: "solution" } as const;
  const odd = jsonl("odd.jsonl", [{ frage: "was", antwort: "das" }]);
  await expect(start(mapping, { taskProbe: { questions: odd, shots: 0, shotsFrom: null, limit: 1 } }), "before anything is trained").rejects.toThrow(/odd\.jsonl/);
  const { id } = await start(mapping);
  await until(() => services.runs.show(id).status === "done", "the run is done");
  expect(services.runs.show(id)).toMatchObject({ config: { mapping }, rows: { format: { name: "by hand", mapping }, counts: { kept: 8, tooLong: 2 }, overLong: "drop" } });
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
  await expect(preview({ path, model, template: "alpaca" })).rejects.toMatchObject({ parts: { where: expect.stringContaining("broken.jsonl, line 2") } });
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

test("settings keep the theme and the last run's settings", async () => {
  expect(app.services.settings.get()).toEqual({ theme: "system", lastRun: null });
  app.services.settings.set({ theme: "dark" });
  const { services } = world.open();
  await services.runs.start(runSettings(world, "plain", { rank: 8 }));
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
