import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { trainParams } from "../../main/services/params/training.ts";
import type { RunDetail, RunEvent } from "../../main/services/shapes/runs.ts";
import { collect, fakeWorld, runSettings, until, type FakeWorld } from "./fake-app.ts";

let world: FakeWorld;
beforeEach(() => (world = fakeWorld()));
afterEach(() => world.remove());

const steps = (events: RunEvent[]) => events.flatMap((event) => (event.type === "points" ? event.points.map((point) => point.step) : []));
const ended = (events: RunEvent[]): RunDetail => {
  const last = events.at(-1);
  if (last?.type !== "ended") throw new Error(`The last event is ${last?.type}`);
  return last.run;
};
const stageStatus = (run: RunDetail) => Object.fromEntries(run.stages.map((stage) => [stage.stage, stage.status]));

test("a run goes through all stages and ends done, with its points, checkpoints and probe", async () => {
  const { services } = world.open();
  const { id } = await services.runs.start(runSettings(world, "plain"));
  const before = services.runs.show(id);
  expect(["queued", "running"]).toContain(before.status);
  expect(existsSync(before.folder), "the folder is there before step 1").toBe(true);

  const events = await collect(services.runs.follow({ id, afterStep: 0 }));
  const run = ended(events);
  expect(run).toMatchObject({ status: "done", lastStep: 6, lastCheckpointStep: 6, error: null, adapter: join(run.folder, "adapter") });
  expect(stageStatus(run)).toEqual({ calibrate: "done", init: "done", train: "done", probe: "done" });
  expect(steps(events)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(run.probes).toMatchObject([{ style: "knowledge", status: "done", lost: 1, base: { exactMatch: 0.5 } }]);
  const flips = services.probe.answers({ id: run.probes[0]!.id, only: "lost", search: "", order: "file", offset: 0, limit: 10 });
  expect(flips.map((pair) => [pair.index, pair.flip])).toEqual([[2, "lost"]]);
  expect(run.notes.map((note) => note.kind)).toEqual(["warning"]);
});

test("the same settings are computed once: every stage of a second run is found again", async () => {
  const { services } = world.open();
  const first = await services.runs.start(runSettings(world, "plain"));
  await collect(services.runs.follow({ id: first.id, afterStep: 0 }));
  const processes = world.pids.length;
  const second = await services.runs.start(runSettings(world, "plain"));
  const events = await collect(services.runs.follow({ id: second.id, afterStep: 0 }));
  const run = ended(events);
  expect(stageStatus(run)).toEqual({ calibrate: "reused", init: "reused", train: "reused", probe: "reused" });
  expect(world.pids.length, "no engine process was needed").toBe(processes);
  expect(steps(events)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(services.probe.answers({ id: run.probes[0]!.id, only: "all", search: "", order: "file", offset: 0, limit: 10 })).toHaveLength(4);

  // The copy stands alone: it survives the first run.
  services.runs.delete(first.id);
  expect(existsSync(join(run.folder, "adapter", "adapter_model.safetensors"))).toBe(true);
});

test("another rank reuses the calibration and computes the rest", async () => {
  const { services } = world.open();
  const first = await services.runs.start(runSettings(world, "plain", { probe: null }));
  await collect(services.runs.follow({ id: first.id, afterStep: 0 }));
  const second = await services.runs.start(runSettings(world, "plain", { probe: null, rank: 8 }));
  const run = ended(await collect(services.runs.follow({ id: second.id, afterStep: 0 })));
  expect(stageStatus(run)).toEqual({ calibrate: "reused", init: "done", train: "done" });
});

test("a damaged output is not taken for the one that was written", async () => {
  const { services } = world.open();
  const first = await services.runs.start(runSettings(world, "plain", { probe: null }));
  const before = ended(await collect(services.runs.follow({ id: first.id, afterStep: 0 })));
  writeFileSync(before.stages[0]!.output!, "other bytes");
  const second = await services.runs.start(runSettings(world, "plain", { probe: null, rank: 8 }));
  const run = ended(await collect(services.runs.follow({ id: second.id, afterStep: 0 })));
  expect(stageStatus(run)["calibrate"]).toBe("done");
});

test("when the engine process is killed in mid-training the run says so and goes on from its checkpoint", async () => {
  const { services } = world.open();
  const { id } = await services.runs.start(runSettings(world, "dies", { probe: null }));
  const events = await collect(services.runs.follow({ id, afterStep: 0 }));
  const run = ended(events);
  expect(run.status).toBe("done");
  expect(run.notes.map((note) => note.kind)).toEqual(["warning", "interrupted", "resumed", "warning"]);
  expect(run.notes[1]!.text).toContain("step 4");
  expect(services.runs.points({ id, afterStep: 0, limit: 100 }).map((point) => point.lossNats)).toEqual([1, 2, 3, 4, 5, 6].map((step) => 1 / step));
});

test("an engine process that dies again at the same place fails the run, which can be resumed", async () => {
  const { services } = world.open();
  const { id } = await services.runs.start(runSettings(world, "dies-always", { probe: null }));
  const run = ended(await collect(services.runs.follow({ id, afterStep: 0 })));
  expect(run).toMatchObject({ status: "failed", canResume: true, lastCheckpointStep: 4, error: { isBug: false } });
  expect(run.error!.fix).toContain("step 4");
});

test("a user error and a bug end the run as failed, told apart", async () => {
  const app = world.open();
  const wrong = await app.services.runs.start(runSettings(world, "wrong"));
  const bug = await app.services.runs.start(runSettings(world, "bug"));
  expect(ended(await collect(app.services.runs.follow({ id: wrong.id, afterStep: 0 })))).toMatchObject({
    status: "failed", stage: "calibrate", error: { where: "config.json: hidden_size", isBug: false },
  });
  expect(ended(await collect(app.services.runs.follow({ id: bug.id, afterStep: 0 })))).toMatchObject({ status: "failed", error: { isBug: true } });
  expect(readFileSync(join(app.home.logs, "nullspace.log"), "utf8")).toContain("fake-jobs");
});

test("a cancelled run stops, and resuming it goes on from the last checkpoint", async () => {
  const { services } = world.open();
  const { id } = await services.runs.start(runSettings(world, "slow", { probe: null, steps: 30 }));
  await until(() => services.runs.show(id).lastCheckpointStep !== null, "there is a checkpoint");
  services.runs.cancel(id);
  const cancelled = ended(await collect(services.runs.follow({ id, afterStep: 0 })));
  expect(cancelled).toMatchObject({ status: "cancelled", canResume: true });
  services.runs.resume(id);
  const run = ended(await collect(services.runs.follow({ id, afterStep: 0 })));
  expect(run).toMatchObject({ status: "done", lastStep: 30 });
  expect(run.notes.map((note) => note.kind)).toContain("resumed");
  expect(services.runs.points({ id, afterStep: 0, limit: 100 }).map((point) => point.step)).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
});

test("a resumed run has one probe of a style, and the pause is no part of its time", async () => {
  const { services } = world.open();
  const asked = { questions: world.questions, limit: 4 };
  const { id } = await services.runs.start(runSettings(world, "slow", { probe: asked, taskProbe: { ...asked, limit: 60 } }));
  await until(() => services.runs.show(id).probes.some((probe) => probe.style === "task"), "the second probe has begun");
  services.runs.cancel(id);
  await collect(services.runs.follow({ id, afterStep: 0 }));
  const pauseMs = 600;
  await new Promise((resolve) => setTimeout(resolve, pauseMs));
  services.runs.resume(id);
  const run = ended(await collect(services.runs.follow({ id, afterStep: 0 })));
  expect(run.probes.map(({ style, status }) => [style, status])).toEqual([["knowledge", "done"], ["task", "done"]]);
  expect(services.probe.answers({ id: run.probes[0]!.id, only: "all", search: "", order: "file", offset: 0, limit: 10 })).toHaveLength(4);
  expect(run.workedMs).toBeGreaterThan(0);
  expect(run.workedMs).toBeLessThanOrEqual(run.endedMs! - run.startedMs! - pauseMs);
  const { workedMs, startedMs, endedMs } = run.stages.find(({ stage }) => stage === "task-probe")!;
  expect(workedMs, "both tries count").toBeGreaterThan(endedMs! - startedMs!);
});

test("runs wait for each other; one that waits can be cancelled", async () => {
  const { services } = world.open();
  const first = await services.runs.start(runSettings(world, "slow", { probe: null, steps: 1000 }));
  const second = await services.runs.start(runSettings(world, "plain", { probe: null }));
  expect(services.runs.show(second.id).status).toBe("queued");
  expect(services.runs.cancel(second.id).status).toBe("cancelled");
  services.runs.cancel(first.id);
  expect(ended(await collect(services.runs.follow({ id: first.id, afterStep: 0 }))).status).toBe("cancelled");
});

test("closing the app leaves its run interrupted, and the next app resumes it", async () => {
  const app = world.open();
  const { id } = await app.services.runs.start(runSettings(world, "slow", { probe: null, steps: 20 }));
  await until(() => app.services.runs.show(id).lastCheckpointStep !== null, "there is a checkpoint");
  await app.close();
  const { services } = world.open();
  expect(services.runs.show(id)).toMatchObject({ status: "interrupted", canResume: true });
  services.runs.resume(id);
  expect(ended(await collect(services.runs.follow({ id, afterStep: 0 })))).toMatchObject({ status: "done", lastStep: 20 });
});

test("a run cannot go on with other data than it began with", async () => {
  const { services } = world.open();
  const { id } = await services.runs.start(runSettings(world, "dies-always", { probe: null }));
  await collect(services.runs.follow({ id, afterStep: 0 }));
  writeFileSync(world.data, '{"query": "2 + 2", "response": "5"}\n');
  services.runs.resume(id);
  const run = ended(await collect(services.runs.follow({ id, afterStep: 0 })));
  expect(run).toMatchObject({ status: "failed", error: { isBug: false } });
  expect(run.error!.what).toContain("changed since this training began");
});

test("two apps on one store: one follows and cancels the other's run", async () => {
  const [owner, other] = [world.open(), world.open()];
  const { id } = await owner.services.runs.start(runSettings(world, "slow", { probe: null, steps: 1000 }));
  const events: RunEvent[] = [];
  for await (const event of other.services.runs.follow({ id, afterStep: 0 })) {
    events.push(event);
    if (event.type === "points") other.services.runs.cancel(id);
  }
  expect(ended(events).status).toBe("cancelled");
});

test("a follower that comes late gets what is stored and then what is new, each step once", async () => {
  const { services } = world.open();
  const { id } = await services.runs.start(runSettings(world, "slow", { probe: null, steps: 40 }));
  const early = collect(services.runs.follow({ id, afterStep: 0 }));
  await until(() => services.runs.show(id).lastStep >= 10, "ten steps are done");
  const late = collect(services.runs.follow({ id, afterStep: 5 }));
  const all = Array.from({ length: 40 }, (_, i) => i + 1);
  expect(steps(await early)).toEqual(all);
  expect(steps(await late)).toEqual(all.slice(5));
});

test("deleting a run takes its files; a run that works is not deleted", async () => {
  const { services } = world.open();
  const { id } = await services.runs.start(runSettings(world, "slow", { probe: null, steps: 1000 }));
  const { folder } = services.runs.show(id);
  expect(() => services.runs.delete(id)).toThrow(/Cancel it first/);
  services.runs.cancel(id);
  await collect(services.runs.follow({ id, afterStep: 0 }));
  services.runs.delete(id);
  expect(existsSync(folder)).toBe(false);
  expect(() => services.runs.show(id)).toThrow(/no run/);
});

test("training alone keeps the user's own files when its run is deleted", async () => {
  const { services } = world.open();
  const out = world.model("out-folder");
  const settings = trainParams.parse({ model: world.model("plain"), init: world.model("start"), data: world.data, steps: 4, out });
  const { id } = await services.runs.train(settings);
  expect(ended(await collect(services.runs.follow({ id, afterStep: 0 })))).toMatchObject({ kind: "train", status: "done", folder: out });
  await expect(services.runs.train(settings), "a second training there is refused").rejects.toThrow(/--resume/);
  services.runs.delete(id);
  expect(existsSync(join(out, "adapter"))).toBe(false);
  expect(existsSync(join(out, "config.json"))).toBe(true);
});

test("a rank that does not fit is refused before anything starts", async () => {
  const { services } = world.open();
  await expect(services.runs.start(runSettings(world, "plain", { rank: 256 }))).rejects.toThrow(/Rank 256 does not fit.*32 is the most/);
  expect(services.runs.list(10)).toEqual([]);
});

test("going on with a stopped run of the same settings makes no second run", async () => {
  const { services } = world.open();
  const { id } = await services.runs.start(runSettings(world, "dies-always", { probe: null }));
  await collect(services.runs.follow({ id, afterStep: 0 }));
  const again = await services.runs.start(runSettings(world, "dies-always", { probe: null, continueStopped: true }));
  expect(again.id).toBe(id);
  await collect(services.runs.follow({ id, afterStep: 0 }));
});
