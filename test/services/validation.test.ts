import { afterEach, beforeEach, expect, test } from "vitest";
import { memoryParams, trainParams } from "../../main/services/params/training.ts";
import { runParams } from "../../main/services/params/runs.ts";
import type { RunDetail, RunEvent } from "../../main/services/shapes/runs.ts";
import { fakeMemory } from "../engine/fake-jobs.ts";
import { writeTinyTokenizer } from "../support/tiny-model.ts";
import { collect, fakeWorld, runSettings, type FakeWorld } from "./fake-app.ts";

let world: FakeWorld;
beforeEach(() => (world = fakeWorld()));
afterEach(() => world.remove());

const validation = { rows: 1, everySteps: 2 };
const evaluated = (events: RunEvent[]) => events.flatMap((event) => (event.type === "validations" ? event.validations.map(({ step }) => step) : []));
const ended = (events: RunEvent[]): RunDetail => {
  const last = events.at(-1);
  if (last?.type !== "ended") throw new Error(`The last event is ${last?.type}`);
  return last.run;
};
const trained = (run: RunDetail) => run.stages.flatMap(({ result }) => (result?.kind === "train" ? [result] : []))[0]!;

test("validation losses are stored, followed and shown, with the best one", async () => {
  const { services } = world.open();
  const { id } = await services.runs.start(runSettings(world, "plain", { probe: null, validation }));
  const events = await collect(services.runs.follow({ id, afterStep: 0 }));
  const run = ended(events);
  expect(evaluated(events)).toEqual([2, 4, 6]);
  expect(run.validations.map(({ step, lossNats, isBest }) => [step, lossNats, isBest])).toEqual([[2, 1.25, true], [4, 1, true], [6, 1.25, false]]);
  expect(trained(run).validation).toMatchObject({ best: { step: 4, lossNats: 1 }, adapterStep: 4 });
});

test("the estimate is stored before the first step, and the measured peak beside it", async () => {
  const { services } = world.open();
  const { id } = await services.runs.start(runSettings(world, "plain", { probe: null }));
  const run = ended(await collect(services.runs.follow({ id, afterStep: 0 })));
  expect(run.memory).toEqual({ estimate: fakeMemory, measuredBytes: 1.4e9 });
  expect(run.validations).toEqual([]);

  const { id: failed } = await services.runs.start(runSettings(world, "dies-always", { probe: null }));
  expect(ended(await collect(services.runs.follow({ id: failed, afterStep: 0 }))).memory).toEqual({ estimate: fakeMemory, measuredBytes: null });
});

test("evaluations after the checkpoint are taken back when the run goes on from it, and come once", async () => {
  const { services } = world.open();
  const { id } = await services.runs.start(runSettings(world, "dies", { probe: null, validation: { rows: 1, everySteps: 1 }, checkpointEverySteps: 3 }));
  const run = ended(await collect(services.runs.follow({ id, afterStep: 0 })));
  expect(run.notes.map(({ kind }) => kind)).toContain("resumed");
  expect(run.validations.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
});

test("the same training is found again with its validation; another validation is another training", async () => {
  const { services } = world.open();
  const start = async (changes: object) => ended(await collect(services.runs.follow({ id: (await services.runs.start(runSettings(world, "plain", { probe: null, ...changes }))).id, afterStep: 0 })));
  const first = await start({ validation });
  const again = await start({ validation });
  expect(again.stages.at(-1)).toMatchObject({ stage: "train", status: "reused" });
  expect(again.validations).toEqual(first.validations);
  expect(again.memory).toEqual(first.memory);
  for (const other of [{ validation: null }, { validation: { ...validation, patience: 3 } }, { validation: { data: world.data } }]) {
    expect((await start(other)).stages.at(-1)).toMatchObject({ status: "done" });
  }
});

test("exactly one source of validation rows is taken", () => {
  const given = (from: object) => runParams.safeParse({ model: "m", questions: "q", data: "d", validation: from });
  expect(given({ rows: 4 }).success).toBe(true);
  for (const wrong of [{}, { rows: 4, share: 0.1 }, { data: "d", rows: 1 }, { share: 1 }, { share: 0 }, { rows: 0 }]) expect(given(wrong).success, JSON.stringify(wrong)).toBe(false);
  expect(trainParams.parse({ model: "m", init: "i", data: "d", out: "o", validation: { share: 0.1 } }).validation).toEqual({
    data: null, rows: null, share: 0.1, everySteps: 25, patience: null, leastImprovementNats: 0, keeps: "best",
  });
});

test("the memory of a training is estimated from the rows as they would be kept", async () => {
  const { services } = world.open();
  const model = world.model("plain");
  writeTinyTokenizer(model);
  const memory = await services.runs.estimate(memoryParams.parse({ model, data: world.data, rank: 4 }));
  expect(memory).toEqual({ ...fakeMemory, retentionTokens: null });
});
