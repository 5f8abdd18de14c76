// Which text each method reads, from the settings of a run down to the job of its start.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { gramNeeds, methods as offered } from "../../main/services/params/methods.ts";
import { methods } from "../../native-models/starts/methods.ts";
import { collect, fakeWorld, runSettings, type FakeWorld } from "./fake-app.ts";

let world: FakeWorld;
beforeEach(() => (world = fakeWorld()));
afterEach(() => world.remove());

test("every method is offered, and needs what its file says", () => {
  expect([...offered].sort()).toEqual(Object.keys(methods).sort());
  expect(gramNeeds).toEqual(Object.fromEntries(Object.entries(methods).map(([name, { grams }]) => [name, grams])));
});

async function run(changes: Parameters<typeof runSettings>[2]) {
  const { services } = world.open();
  const { id } = await services.runs.start(runSettings(world, "plain", { probe: null, ...changes }));
  await collect(services.runs.follow({ id, afterStep: 0 }));
  const { status, stages, error } = services.runs.show(id);
  const start = stages.find(({ stage }) => stage === "init")!.output!;
  const { read } = JSON.parse(readFileSync(join(start, "init.json"), "utf8")) as { read: (string | null)[] };
  return { status, error, read, stages: Object.fromEntries(stages.map((stage) => [stage.stage, stage.status])) };
}

test.each([
  ["lora-null-v2", ["grams 3 256 0", null]],
  ["eva", [null, "task grams chat 3 256 0"]],
  ["task-null", ["grams 3 256 0", "task grams chat 3 256 0"]],
] as const)("%s starts from the Grams that it reads", async (method, read) => {
  expect(await run({ method })).toEqual({ status: "done", error: null, read, stages: { calibrate: "done", init: "done", train: "done" } });
});

test.each(["lora", "pissa", "olora", "milora"] as const)("%s reads nothing and is not calibrated", async (method) => {
  expect(await run({ method })).toEqual({ status: "done", error: null, read: [null, null], stages: { init: "done", train: "done" } });
});

test("another method or rank finds both calibrations again", async () => {
  await run({ method: "task-null" });
  expect((await run({ method: "task-null", rank: 8 })).stages).toMatchObject({ calibrate: "reused", init: "done" });
  expect((await run({ method: "corda-task" })).stages).toMatchObject({ calibrate: "reused", init: "done" });
  expect((await run({ method: "lora-null-v1" })).stages).toMatchObject({ calibrate: "reused", init: "done" });
});
