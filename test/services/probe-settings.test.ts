// How a probe asks, as the services take it: what is refused before any work, and going on with a probe that stopped.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { probeParams } from "../../main/services/params/probes.ts";
import { runParams } from "../../main/services/params/runs.ts";
import { measureRows } from "../../main/services/probe-tasks.ts";
import { collect, fakeWorld, runSettings, type FakeWorld } from "./fake-app.ts";

let world: FakeWorld;
beforeEach(() => {
  world = fakeWorld();
});
afterEach(() => world.remove());

const params = (more: object = {}) => probeParams.parse({ model: world.model("plain"), questions: world.questions, ...more });

describe("before any work", () => {
  test("programs are not run unless the user allowed it", async () => {
    const { services } = world.open();
    await expect(services.probe.start(params({ task: "humaneval" }))).rejects.toMatchObject({ what: "HumanEval runs programs that the model has written, and this was not allowed." });
    const run = runParams.safeParse({ ...runSettings(world, "plain"), probe: { questions: world.questions, task: "mbpp" } });
    expect(run.error?.issues[0]).toMatchObject({ path: ["probe", "mayRunPrograms"] });
  });

  test("a task that is judged needs a judge, whose key is named and not given", async () => {
    const { services } = world.open();
    await expect(services.probe.start(params({ task: "mt_bench" }))).rejects.toMatchObject({ what: "MT-Bench needs a judge that rates the answers." });
    const judge = { kind: "endpoint", url: "http://127.0.0.1/v1", model: "m", keyFrom: "sk-abc" };
    expect(probeParams.safeParse({ ...params(), task: "mt_bench", judge }).error?.issues[0]).toMatchObject({ path: ["judge", "keyFrom"] });
  });

  test("a run whose questions do not fit the probe's task is refused at its start, not after training", async () => {
    const { services } = world.open();
    const file = join(world.folder, "wrong.jsonl");
    writeFileSync(file, '{"question": "x", "answer": ["y"]}\n');
    const settings = runSettings(world, "plain", { probe: { questions: file, task: "math", shots: 0 } });
    await expect(services.runs.start(settings)).rejects.toMatchObject({ where: "wrong.jsonl, line 1" });
    const few = runSettings(world, "plain", { probe: { questions: file, shots: 3 } });
    await expect(services.runs.start(few)).rejects.toMatchObject({ what: "The file has 1 questions; 3 examples were asked for." });
    expect(services.runs.list(10)).toEqual([]);
  });

  test("an own prompt must say where the question stands", () => {
    expect(probeParams.safeParse({ ...params(), promptForm: { ask: "Q:" } }).error?.issues[0]).toMatchObject({ path: ["promptForm", "ask"] });
  });
});

describe("a probe that was stopped", () => {
  const limit = 30;
  async function stopped(services: ReturnType<FakeWorld["open"]>["services"], more: object = {}) {
    const settings = probeParams.parse({ model: world.model("slow"), questions: world.questions, limit, ...more });
    const { id } = await services.probe.start(settings);
    for await (const event of services.probe.follow(id)) if (event.type === "answers") services.probe.cancel(id);
    return { id, settings, done: services.probe.answers({ id, only: "all", search: "", order: "file", offset: 0, limit: 100 }).length };
  }

  test("goes on with the answers that are there", async () => {
    const { services } = world.open();
    const { settings, done } = await stopped(services);
    expect(done).toBeGreaterThan(0);
    expect(done).toBeLessThan(limit);
    const { id } = await services.probe.start({ ...settings, continueStopped: true });
    await collect(services.probe.follow(id));
    const answers = services.probe.answers({ id, only: "all", search: "", order: "file", offset: 0, limit: 100 });
    expect(answers.map(({ index }) => index)).toEqual(Array.from({ length: limit }, (_, index) => index));
    expect(answers.map(({ base }) => base?.verdict ?? null)).toEqual(Array.from({ length: limit }, (_, index) => (index < done ? null : `after ${done}`)));
  });

  test("is left alone by one with other settings, and by one that is to begin anew", async () => {
    const { services } = world.open();
    const { settings } = await stopped(services);
    for (const other of [{ ...settings, limit: 3, continueStopped: true }, { ...settings, limit: 3, task: "triviaqa" as const, continueStopped: true }, { ...settings, fresh: true, continueStopped: false }]) {
      const { id } = await services.probe.start({ ...other, limit: other.limit });
      for await (const event of services.probe.follow(id)) {
        if (event.type !== "answers") continue;
        expect(event.answers.every(({ verdict }) => verdict === null)).toBe(true);
        services.probe.cancel(id);
      }
    }
  });
});

test("further measures are told in the words of the task", () => {
  expect(measureRows("gsm8k", { measures: { strict: 0.5, flexible: 0.625 } }, null)).toEqual([
    { title: "strict match (after ####)", base: "50.0 %", tuned: null },
    { title: "flexible match (last number)", base: "62.5 %", tuned: null },
  ]);
  expect(measureRows("mt_bench", { measures: { rating: 6.25 } }, { measures: { rating: 7 } })).toEqual([{ title: "rating, 1 to 10", base: "6.25", tuned: "7.00" }]);
  expect(measureRows("nq_open", { measures: { other: 1 } }, null)).toEqual([]);
});
