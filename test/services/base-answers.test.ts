// The base is asked once for all its runs: whose answers are taken, what asks again, and that retention does the same.

import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runCli } from "../../main/cli/main.ts";
import { probeParams } from "../../main/services/params/probes.ts";
import type { App } from "../../main/services/app.ts";
import type { ProbeEvent, ProbeSummary } from "../../main/services/shapes/probes.ts";
import type { RunDetail, RunEvent } from "../../main/services/shapes/runs.ts";
import { writeTinyTokenizer } from "../support/tiny-model.ts";
import { collect, fakeReaders, fakeWorld, jobsModule, runSettings, type FakeWorld } from "./fake-app.ts";

let world: FakeWorld;
let services: App["services"];
beforeEach(() => {
  world = fakeWorld();
  services = world.open().services;
});
afterEach(() => world.remove());

const asked = { shots: 0, limit: 4 };

function adapter(name: string): string {
  const folder = world.model(name); // any folder with files of its own
  writeFileSync(join(folder, "adapter_model.safetensors"), name);
  return folder;
}

async function probe(changes: object = {}): Promise<ProbeSummary> {
  const { id } = await services.probe.start(probeParams.parse({ model: world.model("plain"), adapter: adapter("a"), questions: world.questions, ...asked, ...changes }));
  const end = (await collect(services.probe.follow(id))).at(-1) as Extract<ProbeEvent, { type: "ended" }>;
  expect(end.probe.error).toBeNull();
  return end.probe;
}

const ended = (events: readonly RunEvent[]): RunDetail => (events.at(-1) as Extract<RunEvent, { type: "ended" }>).run;
const run = async (changes: object): Promise<RunDetail> => ended(await collect(services.runs.follow({ id: (await services.runs.start(runSettings(world, "plain", changes))).id, afterStep: 0 })));
const answersOf = (id: number) => services.probe.answers({ id, only: "all", search: "", order: "file", offset: 0, limit: 100 });

describe("a probe of the same base", () => {
  test("takes the base's answers of the one before and says whose they are, through any number of probes", async () => {
    const first = await probe();
    expect(first.baseFrom).toBeNull();
    const second = await probe({ adapter: adapter("b") });
    expect(second.baseFrom).toEqual({ probeId: first.id, runId: null, askedMs: first.endedMs, answers: 4 });
    expect(answersOf(second.id).map(({ base }) => base)).toEqual(answersOf(first.id).map(({ base }) => base));
    expect(second.scores!.base).toEqual(first.scores!.base);
    const third = await probe({ adapter: null });
    expect(third.baseFrom, "the one that asked is named, not the one in between").toEqual(second.baseFrom);
    expect(third.tuned).toBeNull();
  });

  test("of a base alone serves a tuned model later; more questions ask the base those that are new", async () => {
    const alone = await probe({ adapter: null });
    const both = await probe({ limit: 6 });
    expect(both.baseFrom).toMatchObject({ probeId: alone.id, answers: 4 });
    expect(answersOf(both.id)).toHaveLength(6);
    expect((await probe({ adapter: adapter("c"), limit: 6 })).baseFrom).toMatchObject({ answers: 6 });
  });

  test("asks again when it is told to", async () => {
    await probe();
    expect((await probe({ adapter: adapter("b"), fresh: true })).baseFrom).toBeNull();
  });

  const judge = (model: string) => ({ kind: "endpoint", url: "http://127.0.0.1:1/v1", model });
  test.each([
    ["shots", { shots: 1 }, {}],
    ["rows of the shots", { shotChoice: { by: "seed", seed: 1 } }, { shotChoice: { by: "seed", seed: 2 } }],
    ["task", { task: "triviaqa" }, {}],
    ["most new tokens", { maxNewTokens: 8 }, {}],
    ["width of the weights", { width: "int8" }, {}],
    ["prompt", { task: "questions", promptForm: { ask: "Q: {question}" } }, { task: "questions" }],
    ["wording", { wording: "template" }, {}],
    ["template, where prompts are written in it", { wording: "template", template: "alpaca" }, { wording: "template", template: "chat" }],
    ["split", { split: "test" }, {}],
    ["judge", { task: "mt_bench", judge: judge("a") }, { task: "mt_bench", judge: judge("b") }],
    ["file of the shots", { shotsFrom: "data" }, {}],
  ])("asks the base again when the %s is another", async (_, changes, before) => {
    const filled = (given: object) => ("shotsFrom" in given ? { shotsFrom: world.data } : given);
    await probe(before);
    expect((await probe({ adapter: adapter("b"), ...filled(changes) })).baseFrom).toBeNull();
    expect((await probe({ adapter: adapter("c"), ...filled(changes) })).baseFrom, "the same again").not.toBeNull();
  });

  test("asks the base again when the questions, the model or its tokenizer have changed", async () => {
    await probe();
    expect((await probe({ model: world.model("plain too") })).baseFrom).toBeNull();
    writeTinyTokenizer(world.model("plain"));
    expect((await probe({ adapter: adapter("b") })).baseFrom).toBeNull();
    expect((await probe({ adapter: adapter("c") })).baseFrom).not.toBeNull();
    appendFileSync(world.questions, '{"question": "another", "answer": ["one"]}\n');
    expect((await probe({ adapter: adapter("d") })).baseFrom).toBeNull();
  });

  test("does not mind the template where the harness's text is asked", async () => {
    await probe({ template: "chat" });
    expect((await probe({ adapter: adapter("b"), template: "alpaca", batch: 3 })).baseFrom).not.toBeNull();
  });

  test("that was stopped keeps what it took when it goes on", async () => {
    const first = await probe({ adapter: null, limit: 30, model: world.model("slow") });
    const settings = probeParams.parse({ model: world.model("slow"), adapter: adapter("b"), questions: world.questions, shots: 0, limit: 30, continueStopped: true });
    const { id } = await services.probe.start(settings);
    for await (const event of services.probe.follow(id)) if (event.type === "answers" && event.answers.some(({ subject }) => subject === "tuned")) services.probe.cancel(id);
    const { id: again } = await services.probe.start(settings);
    const end = (await collect(services.probe.follow(again))).at(-1) as Extract<ProbeEvent, { type: "ended" }>;
    expect(end.probe).toMatchObject({ status: "done", baseFrom: { probeId: first.id, answers: 30 } });
  });
});

describe("runs of the same base", () => {
  test("ask it once: the second run's probe takes the answers of the first, which may then be deleted", async () => {
    const first = await run({ seed: 1 });
    expect(first.probes[0]!.baseFrom).toBeNull();
    const second = await run({ seed: 2 });
    expect(second.stages.at(-1)).toMatchObject({ stage: "probe", status: "done" });
    expect(second.probes[0]!.baseFrom).toMatchObject({ runId: first.id, answers: 4 });
    services.runs.delete(first.id);
    expect((await run({ seed: 3 })).probes[0]!.baseFrom).toMatchObject({ runId: first.id, probeId: first.probes[0]!.id });
  });

  test("a run whose whole probe was done before says so too, and asks both again when told to", async () => {
    const first = await run({});
    const again = await run({});
    expect(again.stages.at(-1)).toMatchObject({ stage: "probe", status: "reused" });
    expect(again.probes[0]!.baseFrom).toMatchObject({ runId: first.id, answers: 4 });
    const fresh = await run({ probe: { questions: world.questions, limit: 4, fresh: true } });
    expect(fresh.stages.at(-1)).toMatchObject({ stage: "probe", status: "done" });
    expect(fresh.probes[0]!.baseFrom).toBeNull();
  });

  test("measure what retention is measured against once, for equal questions, shots, number and seed", async () => {
    const said = ({ notes }: RunDetail) => notes.filter(({ text }) => text.startsWith("What the base knows")).map(({ text }) => text);
    const first = await run({ retention: { everySteps: 2 } });
    expect(said(first)).toEqual([]);
    const second = await run({ rank: 8, retention: { everySteps: 3 } });
    expect(said(second)).toEqual([`What the base knows of the retention questions was measured by run ${first.id}: it was not asked again.`]);
    expect(second.retentions[0]).toMatchObject({ step: 0, retention: 1 });
    for (const [changes, retention] of [[{ seed: 5 }, {}], [{}, { limit: 9 }], [{}, { shots: 1 }]] as const) expect(said(await run({ ...changes, retention: { everySteps: 2, ...retention } })), JSON.stringify({ changes, retention })).toEqual([]);
  });
});

test("the command line says whose answers they are; --fresh asks again", async () => {
  const cli = async (...more: string[]) => {
    let stdout = "";
    const io = { stdout: { write: (text: string) => (stdout += text) }, stderr: { write: () => true }, signal: new AbortController().signal };
    await runCli(["probe", "--model", world.model("plain"), "--questions", world.questions, "--limit", "4", ...more], io, { home: world.home, engine: { jobsModule, graceMs: 500 }, readers: fakeReaders, pollMs: 50 });
    return stdout;
  };
  expect(await cli("--adapter", adapter("a"))).not.toContain("The base's answers are");
  expect(await cli("--adapter", adapter("b"))).toMatch(/The base's answers are those of probe 1 of \d{4}-\d\d-\d\d \d\d:\d\d UTC; --fresh asks again\./);
  expect(await cli("--adapter", adapter("b"), "--fresh")).not.toContain("The base's answers are");
});
