import { cpSync, existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openApp, type App } from "../../main/services/app.ts";
import type { ModelsView } from "../../main/services/shapes/models.ts";
import { writeTinyModel } from "../support/tiny-model.ts";
import { fakeWorld, type FakeWorld } from "./fake-app.ts";

let world: FakeWorld;
let app: App;
let library = "";
beforeEach(() => {
  world = fakeWorld();
  app = openApp({ home: world.home, pollMs: 50 }); // the real readers
  library = join(world.folder, "library");
  mkdirSync(library);
});
afterEach(async () => {
  await app.close();
  await world.remove();
});

/** Follows the models until `isSo`, having done `act` once the first view was there. */
async function viewWhere(isSo: (view: ModelsView) => boolean, act: () => void): Promise<ModelsView> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), 10_000);
  let hasActed = false;
  try {
    for await (const view of app.services.models.follow(controller.signal)) {
      if (isSo(view)) return view;
      if (!hasActed && !view.isScanning) setTimeout(act, 300); // once the watcher has settled
      hasActed ||= !view.isScanning;
    }
  } finally {
    clearTimeout(timer);
    controller.abort();
  }
  throw new Error("Waited too long for the view");
}

test("a scan finds models at any depth and says of a broken one what is wrong", async () => {
  writeTinyModel(join(library, "org", "good"));
  writeTinyModel(join(library, "bad"));
  writeFileSync(join(library, "bad", "config.json"), '{"model_type": "rnn"}');
  mkdirSync(join(library, "not-a-model"));
  const models = await app.services.models.scan(library);
  expect(models.map((model) => [model.name, model.problem === null]).sort()).toEqual([["bad", false], ["good", true]]);
  expect(models.find((model) => model.name === "good")).toMatchObject({ modelType: "llama", layers: 2, hidden: 32, vocabulary: 300 });
  expect(models.find((model) => model.name === "bad")!.problem!.where).toContain("config.json");
});

test("a loop of links ends, and a folder that may not be read is passed over", async () => {
  writeTinyModel(join(library, "good"));
  symlinkSync(library, join(library, "loop"), "dir");
  symlinkSync(join(library, "nowhere"), join(library, "dangling"));
  const models = await app.services.models.scan(library);
  expect(models.some((model) => model.path === join(library, "good"))).toBe(true);
});

test("a watched folder's models appear and vanish live", async () => {
  await app.services.models.addFolder(library);
  const appeared = await viewWhere((view) => view.models.length === 1, () => writeTinyModel(join(library, "new")));
  expect(appeared.models[0]).toMatchObject({ name: "new", problem: null, folderId: 1 });
  const gone = await viewWhere((view) => view.models.length === 0, () => rmSync(join(library, "new"), { recursive: true }));
  expect(gone.folders).toMatchObject([{ path: library, isThere: true }]);
});

test("a model that is still being copied is unusable until it is whole", async () => {
  writeTinyModel(join(world.folder, "source"));
  await app.services.models.addFolder(library);
  const half = join(library, "copy");
  mkdirSync(half);
  cpSync(join(world.folder, "source", "config.json"), join(half, "config.json"));
  writeFileSync(join(half, "model.safetensors"), "half a fil");
  const before = await app.services.models.list();
  expect(before.models[0]!.problem).not.toBeNull();
  const whole = await viewWhere((view) => view.models[0]?.problem === null, () => cpSync(join(world.folder, "source"), half, { recursive: true }));
  expect(whole.models).toHaveLength(1);
});

test("a folder with only its config.json is listed with what is missing, file by file", async () => {
  writeTinyModel(join(world.folder, "source"));
  await app.services.models.addFolder(library);
  const copy = join(library, "copy");
  mkdirSync(copy);
  const bring = (name: string) => cpSync(join(world.folder, "source", name), join(copy, name));
  const first = await viewWhere((view) => view.models.length === 1, () => bring("config.json"));
  expect(first.models[0]).toMatchObject({ name: "copy", problem: { what: expect.stringMatching(/no model\.safetensors .*and no tokenizer\.json/) } });
  const second = await viewWhere((view) => view.models[0]?.problem?.what === "The folder has no tokenizer.json.", () => bring("model.safetensors"));
  expect(second.models).toHaveLength(1);
  await viewWhere((view) => view.models[0]?.problem === null, () => bring("tokenizer.json"));
});

test("a folder that was moved away stays in the list and is marked", async () => {
  await app.services.models.addFolder(library);
  renameSync(library, `${library}-moved`);
  expect((await app.services.models.list()).folders).toMatchObject([{ isThere: false }]);
});

test("a folder is added once and removed with its models", async () => {
  writeTinyModel(join(library, "good"));
  const first = await app.services.models.addFolder(library);
  expect((await app.services.models.addFolder(library)).id).toBe(first.id);
  expect((await app.services.models.list()).models).toHaveLength(1);
  await app.services.models.removeFolder(first.id);
  expect(await app.services.models.list()).toMatchObject({ folders: [], models: [] });
  expect(existsSync(join(library, "good", "config.json"))).toBe(true);
  await expect(app.services.models.addFolder(join(library, "none"))).rejects.toThrow(/nothing at/);
});
