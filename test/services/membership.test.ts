import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openStore, type Store } from "../../main/db/store.ts";
import { watchChanges, type Changes } from "../../main/services/changes.ts";
import { joinStore } from "../../main/services/membership.ts";
import { collect, fakeWorld, runSettings, until } from "./fake-app.ts";

let folder = "";
let store: Store;
let changes: Changes;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "nullspace-members-"));
  store = openStore(join(folder, "nullspace.db"));
  changes = watchChanges(store);
});
afterEach(() => {
  changes.close();
  store.close();
  rmSync(folder, { recursive: true, force: true });
});

function runOf(owner: string): number {
  const config = { kind: "full" };
  return store.runs.insert({ name: "r", kind: "full", config, configKey: "k", modelPath: "/m", modelName: "m", owner, createdMs: 1 }, (id) => `/runs/${id}`);
}

const member = (silenceMs: number) => joinStore({ store, changes, now: Date.now, silenceMs });
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test("the run of a process that is gone is interrupted at once", () => {
  store.owners.add({ owner: "gone", host: hostOf(), pid: 2 ** 22 + 12345, heartbeatMs: Date.now() });
  const id = runOf("gone");
  expect(member(60_000).sweep()).toEqual([id]);
  expect(store.runs.find(id)).toMatchObject({ status: "interrupted", owner: null, error: { isBug: false } });
  expect(store.runNotes.after(id, 0)).toMatchObject([{ kind: "interrupted" }]);
});

test("a process id that was given to another program does not keep a run alive for ever", async () => {
  store.owners.add({ owner: "silent", host: hostOf(), pid: process.pid, heartbeatMs: 5 });
  const id = runOf("silent");
  const membership = member(100);
  expect(membership.sweep()).toEqual([]);
  await wait(150);
  expect(membership.sweep()).toEqual([id]);
});

test("a heart that beats is alive, however wrong its clock", async () => {
  store.owners.add({ owner: "beating", host: "another-machine", pid: 1, heartbeatMs: 5 });
  runOf("beating");
  const membership = member(100);
  for (let beat = 0; beat < 4; beat++) {
    store.owners.beat("beating", 5 - beat); // its clock even runs backwards
    expect(membership.sweep()).toEqual([]);
    await wait(60);
  }
});

test("a process that was declared dead has another name at once, and can work on", () => {
  const membership = member(60_000);
  const before = membership.owner();
  const id = runOf(before);
  let lost = 0;
  membership.onLost(() => lost++);
  store.owners.remove(before);
  const after = membership.owner();
  expect(after).not.toBe(before);
  expect([lost, membership.owner()]).toEqual([1, after]);
  expect(membership.sweep()).toEqual([id]);
  expect(store.runs.requeue(id, membership.owner(), {})).toBe(true);
  expect(membership.sweep()).toEqual([]);
  membership.close();
});

test("a process that was declared dead stops its work and writes nothing more", async () => {
  const world = fakeWorld();
  const { services } = world.open();
  const { id } = await services.runs.start(runSettings(world, "slow", { probe: null, steps: 5000 }));
  await until(() => services.runs.show(id).lastStep > 0, "training is under way");
  const other = openStore(join(world.home, "nullspace.db"));
  other.together(() => {
    for (const { owner } of other.owners.list()) other.owners.remove(owner);
    other.runs.interrupt(id, { what: "w", where: "r", fix: "f", isBug: false }, 1);
  });
  const events = await collect(services.runs.follow({ id, afterStep: 0 }));
  expect(events.at(-1)).toMatchObject({ type: "ended", run: { status: "interrupted" } });
  const { lastStep } = services.runs.show(id);
  await until(() => !isAlive(world.pids.at(-1)!), "its engine process is gone");
  expect(services.runs.show(id)).toMatchObject({ status: "interrupted", lastStep });
  other.close();
  await world.remove();
});

function hostOf(): string {
  const probe = member(1);
  probe.owner();
  const host = store.owners.list().find((row) => row.pid === process.pid)!.host;
  probe.close();
  return host;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
