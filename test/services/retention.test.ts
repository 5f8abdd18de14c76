// Retention while training through the services: stored, followed, taken back, found again, and on the command line.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runCli } from "../../main/cli/main.ts";
import { memoryParams } from "../../main/services/params/training.ts";
import { runParams } from "../../main/services/params/runs.ts";
import type { RunDetail, RunEvent } from "../../main/services/shapes/runs.ts";
import { writeTinyTokenizer } from "../support/tiny-model.ts";
import { collect, fakeReaders, fakeWorld, jobsModule, runSettings, type FakeWorld } from "./fake-app.ts";

let world: FakeWorld;
beforeEach(() => (world = fakeWorld()));
afterEach(() => world.remove());

const ended = (events: readonly RunEvent[]): RunDetail => (events.at(-1) as Extract<RunEvent, { type: "ended" }>).run;
const stepsOf = (events: readonly RunEvent[]): number[] => events.flatMap((event) => (event.type === "retentions" ? event.retentions.map(({ step }) => step) : []));

test("measurements are stored from step 0 and sent once; the probe's questions are asked where none are named", async () => {
  const { services } = world.open();
  const { id } = await services.runs.start(runSettings(world, "plain", { retention: { everySteps: 2 } }));
  const events = await collect(services.runs.follow({ id, afterStep: 0 }));
  const run = ended(events);
  expect(run.config.retention).toEqual({ questions: world.questions, shots: 5, limit: 32, everySteps: 2, floor: null });
  expect(stepsOf(events)).toEqual([0, 2, 4, 6]);
  expect(run.retentions.map(({ step, retention }) => [step, retention])).toEqual([[0, 1], [2, 0.96], [4, 0.92], [6, 0.88]]);
  expect(run.retentions[0].exact).toEqual({ base: 4, now: 3 });
  expect(stepsOf(await collect(services.runs.follow({ id, afterStep: 3 })))).toEqual([4, 6]);
});

test("without any of its own the calibration questions are asked; a training alone must name some", async () => {
  const { services } = world.open();
  const { id } = await services.runs.start(runSettings(world, "plain", { probe: null, retention: {} }));
  expect(services.runs.show(id).config.retention!.questions).toBe(world.questions);
  const alone = { name: null, model: world.model("plain"), init: world.folder, data: world.data, out: join(world.folder, "out"), resume: false };
  const { mapping, split, template, steps, epochs, ...rest } = runSettings(world, "plain", { retention: {} });
  await expect(services.runs.train({ ...rest, mapping, split, template, steps, epochs, ...alone })).rejects.toThrow("on no questions");
});

test("measurements after the checkpoint are taken back when the run goes on from it, and come once", async () => {
  const { services } = world.open();
  const { id } = await services.runs.start(runSettings(world, "dies", { probe: null, retention: { everySteps: 1 }, checkpointEverySteps: 3 }));
  const run = ended(await collect(services.runs.follow({ id, afterStep: 0 })));
  expect(run.notes.map(({ kind }) => kind)).toContain("resumed");
  expect(run.retentions.map(({ step }) => step)).toEqual([0, 1, 2, 3, 4, 5, 6]);
});

test("a run that dies before its first checkpoint measures the base again", async () => {
  const { services } = world.open();
  const { id } = await services.runs.start(runSettings(world, "dies", { probe: null, retention: { everySteps: 2 }, checkpointEverySteps: 50 }));
  expect(ended(await collect(services.runs.follow({ id, afterStep: 0 }))).status).toBe("failed");
  await services.runs.resume(id);
  const run = ended(await collect(services.runs.follow({ id, afterStep: 0 })));
  expect(run).toMatchObject({ status: "done" });
  expect(run.retentions.map(({ step }) => step)).toEqual([0, 2, 4, 6]);
});

test("the same training is found again with its measurements; another question file or floor is another training", async () => {
  const { services } = world.open();
  const start = async (retention: object | null) => ended(await collect(services.runs.follow({ id: (await services.runs.start(runSettings(world, "plain", { probe: null, retention }))).id, afterStep: 0 })));
  const first = await start({ everySteps: 2 });
  const again = await start({ everySteps: 2 });
  expect(again.stages.at(-1)).toMatchObject({ stage: "train", status: "reused" });
  expect(again.retentions).toEqual(first.retentions);
  const others = join(world.folder, "others.jsonl");
  writeFileSync(others, '{"question": "another", "answer": ["one"]}\n');
  for (const other of [null, { everySteps: 2, floor: 0.5 }, { everySteps: 2, questions: others }]) expect((await start(other)).stages.at(-1)).toMatchObject({ status: "done" });
});

test("a floor is a share, and the questions must be there", async () => {
  for (const wrong of [{ floor: 0 }, { floor: 1 }, { limit: 0 }, { everySteps: 0 }]) expect(runParams.safeParse({ model: "m", questions: "q", data: "d", retention: wrong }).success, JSON.stringify(wrong)).toBe(false);
  const { services } = world.open();
  await expect(services.runs.start(runSettings(world, "plain", { retention: { questions: join(world.folder, "none.jsonl") } }))).rejects.toThrow("none.jsonl");
  const unanswered = join(world.folder, "unanswered.jsonl");
  writeFileSync(unanswered, '{"question": "who knows"}\n');
  await expect(services.runs.start(runSettings(world, "plain", { retention: { questions: unanswered } }))).rejects.toThrow("answer");
  expect(services.runs.list(10)).toEqual([]);
});

test("the estimate says how much text each measurement reads", async () => {
  const { services } = world.open();
  const model = world.model("plain");
  writeTinyTokenizer(model);
  const given = { model, data: world.data, rank: 4 };
  expect((await services.runs.estimate(memoryParams.parse({ ...given, retention: { questions: world.questions, limit: 7 } })))!.retentionTokens).toBe(70);
  expect((await services.runs.estimate(memoryParams.parse(given)))!.retentionTokens).toBeNull();
});

test("the command line says each measurement, what they cost, and why the run stopped at the floor", async () => {
  const run = ["run", "--model", world.model("plain"), "--questions", world.questions, "--data", world.data, "--samples", "3", "--steps", "6"];
  const cli = async (args: string[]) => {
    let [stdout, stderr] = ["", ""];
    const io = { stdout: { write: (text: string) => (stdout += text) }, stderr: { write: (text: string) => (stderr += text) }, signal: new AbortController().signal };
    const code = await runCli(args, io, { home: world.home, engine: { jobsModule, graceMs: 500 }, readers: fakeReaders, pollMs: 50 });
    return { code, stdout, stderr };
  };
  const { code, stdout, stderr } = await cli([...run, "--retention-every", "2", "--retention-floor", "0.95"]);
  expect(code).toBe(0);
  expect(stderr).toContain("Retention is measured on 32 questions: right answers have -2.000 nats a token in the base");
  expect(stderr).toContain("Retention after step 2: 96.0 % (94.0 % to 98.0 %), word for word 4 → 3");
  for (const text of [stdout, (await cli(["runs", "show", "1"])).stdout]) {
    expect(text).toContain("Retention on 32 questions: 92.0 % (90.0 % to 94.0 %) at step 4, lowest 92.0 % at step 4; 3 measurements took");
    expect(text).toContain("It fell below the floor of 95.0 %, so training stopped; the adapter is of step 2.");
  }
  expect((await cli([...run, "--retention-floor", "2"])).stderr).toContain("retention.floor");
});
