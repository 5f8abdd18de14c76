// Which template a prompt is written by: a new run's choice, and what an adapter was trained with afterwards.

import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readers } from "../../main/engine/readers.ts";
import { askParams } from "../../main/services/params/chats.ts";
import { chooseTemplate, templateOfAdapters } from "../../main/services/template.ts";
import { openApp, type App } from "../../main/services/app.ts";
import type { AskEvent } from "../../main/services/shapes/chats.ts";
import { notesText, type AdapterNotes } from "../../native-models/adapter/adapter-notes.ts";
import { tinyRun, train } from "../support/tiny-run.ts";
import { writeTinyModel } from "../support/tiny-model.ts";
import { tempFolder } from "../data/temp-files.ts";
import { collect, fakeWorld, type FakeWorld } from "./fake-app.ts";

let world: FakeWorld;
let model: string;
beforeEach(() => {
  world = fakeWorld();
  model = join(world.folder, "tiny");
  writeTinyModel(model);
});
afterEach(() => world.remove());

const adapter = (notes: AdapterNotes | null): string => tempFolder(notes === null ? { "adapter_config.json": "{}" } : { "nullspace.json": notesText(notes) });
const stored = "{% for m in messages %}<{{ m.role }}> {{ m.content }}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}";

test("auto is the model's own chat template where it has one, else the Alpaca prompt; its text goes with the run", () => {
  expect(chooseTemplate(readers, model, "auto")).toMatchObject({ template: "chat", chatTemplate: expect.stringContaining("for message in messages") });
  expect(chooseTemplate(readers, model, "alpaca")).toEqual({ template: "alpaca", chatTemplate: null, warning: null });
  const bare = tempFolder({ "tokenizer_config.json": "{}" });
  expect(chooseTemplate(readers, bare, "auto").template).toBe("alpaca");
  expect(() => chooseTemplate(readers, bare, "chat")).toThrow(/no chat template/);
});

test("an adapter is asked as it was trained, also where the model's files say otherwise by now", () => {
  const alpaca = adapter({ template: "alpaca", templateText: "### {instruction}" });
  expect(templateOfAdapters(readers, model, [alpaca], "auto")).toEqual({ template: "alpaca", chatTemplate: null, warning: null });
  const old = templateOfAdapters(readers, model, [adapter({ template: "chat", templateText: stored })], "auto");
  expect(old).toMatchObject({ template: "chat", chatTemplate: stored, warning: { what: expect.stringContaining("not the one that this adapter was trained with") } });
  const same = templateOfAdapters(readers, model, [adapter({ template: "chat", templateText: readers.chatTemplateText(model)! })], "auto");
  expect(same).toMatchObject({ template: "chat", warning: null });
  expect(templateOfAdapters(readers, model, [adapter(null)], "auto").template, "an adapter of PEFT's own says nothing").toBe("chat");
});

test("another template than the adapter's is a warning, two adapters of different templates are refused", () => {
  const alpaca = adapter({ template: "alpaca", templateText: "### {instruction}" });
  const chat = adapter({ template: "chat", templateText: stored });
  expect(templateOfAdapters(readers, model, [alpaca], "chat").warning?.what).toContain("trained with the template alpaca");
  expect(() => templateOfAdapters(readers, model, [alpaca, chat], "auto")).toThrow(/different prompt templates: alpaca and chat/);
  expect(templateOfAdapters(readers, model, [alpaca, chat], "alpaca").template).toBe("alpaca");
});

test("a trained adapter carries its template to the question: the engine writes the prompt by the stored text", async () => {
  const run = tinyRun(join(world.folder, "run"));
  const job = run.job("trained", await run.start("lora"), { chatTemplate: stored, steps: 2 });
  const { result } = await train(job);
  const app: App = openApp({ home: world.home, pollMs: 50 });
  const ask = async (template: "auto" | "alpaca"): Promise<AskEvent[]> =>
    collect(app.services.chats.ask(askParams.parse({ chat: { model: run.model, subjects: [{ kind: "adapter", path: result!.adapter }], template }, prompt: "what is", sampling: { maxNewTokens: 2 } })));
  const done = (events: AskEvent[]) => events.find((event) => event.type === "done")!.prompt;
  const asTrained = await ask("auto");
  expect(done(asTrained)).toBe("<user> what is<assistant>");
  expect(asTrained.filter(({ type }) => type === "warning")).toHaveLength(1);
  expect(done(await ask("alpaca"))).toContain("### Instruction:\nwhat is");
  await app.close();
});
