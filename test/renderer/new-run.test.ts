// The form of a new run against real services: what a person enters is what the jobs of the run are given.

import { afterEach, beforeEach, expect, test } from "vitest";
import { startEngine } from "../../main/engine/host.ts";
import type { JobSpec } from "../../main/engine/jobs.ts";
import { localClient, makeRouter } from "../../main/rpc/router.ts";
import { openApp } from "../../main/services/app.ts";
import { Connection } from "../../renderer/state/connection.svelte.ts";
import { NewRunState } from "../../renderer/state/new-run.svelte.ts";
import { SystemState } from "../../renderer/state/system.svelte.ts";
import { collect, fakeReaders, fakeWorld, jobsModule, type FakeWorld } from "../services/fake-app.ts";

let world: FakeWorld;
beforeEach(() => (world = fakeWorld()));
afterEach(() => world.remove());

test("what is ticked and has no file yet holds the start back, and is not left out in silence", () => {
  const connection = new Connection(() => () => {});
  const form = new NewRunState(connection, new SystemState(connection));
  const { draft } = form;
  Object.assign(draft, { model: "/m", questions: "/q.jsonl", data: "/d.jsonl" });
  Object.assign(draft.validation, { isOn: true, from: "data" });
  expect(Object.keys(form.wrong).sort()).toEqual(["probe.questions", "taskProbe.questions", "validation.data"]);
  for (const part of [draft.probe, draft.taskProbe, draft.validation]) part.isOn = false;
  expect(form.wrong).toEqual({});
});

test.each([
  { memoryGb: 1.5, memoryBytes: 1_500_000_000, what: "a limit in GB is bytes in every job that holds the model" },
  { memoryGb: null, memoryBytes: null, what: "without one it is left to what the machine has free" },
])("memory limit $memoryGb: $what", async ({ memoryGb, memoryBytes }) => {
  const engine = startEngine({ jobsModule, graceMs: 500 });
  const jobs: JobSpec[] = [];
  const app = openApp({
    home: world.home, readers: fakeReaders, pollMs: 50,
    engine: { ...engine, run: (spec, options) => (jobs.push(spec), engine.run(spec, options)) },
  });
  const client = localClient(makeRouter(app));
  const connection = new Connection(({ opened }) => (opened(client), () => {}));
  connection.connect();
  try {
    const form = new NewRunState(connection, new SystemState(connection));
    Object.assign(form.draft, { model: world.model("plain"), questions: world.questions, data: world.data, method: "task-null", memoryGb });
    for (const part of [form.draft.probe, form.draft.taskProbe, form.draft.retention]) part.isOn = false;
    expect(form.wrong).toEqual({});
    const id = await form.start();
    expect(form.problem).toBe(null);
    await collect(await client.runs.follow({ id: id! }));
    const given = Object.fromEntries(jobs.flatMap((job) => ("memoryBytes" in job ? [[job.kind, job.memoryBytes]] : [])));
    expect(given).toEqual({ calibrate: memoryBytes, "calibrate-task": memoryBytes, train: memoryBytes });

    // The next form begins with it.
    const next = new SystemState(connection);
    await next.load();
    expect(next.settings?.lastRun?.memoryBytes).toBe(memoryBytes);
  } finally {
    await app.close();
  }
});
