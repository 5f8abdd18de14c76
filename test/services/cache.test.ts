// The store's cache: how much of what there is, letting go of it, and that nobody loses what is being read.

import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runCli } from "../../main/cli/main.ts";
import { cacheKinds } from "../../main/services/params/app.ts";
import { probeParams } from "../../main/services/params/probes.ts";
import { collect, fakeReaders, fakeWorld, jobsModule, runSettings, until, type FakeWorld } from "./fake-app.ts";

let world: FakeWorld;
beforeEach(() => (world = fakeWorld()));
afterEach(() => world.remove());

const cache = () => join(world.home, "cache");
function fill(): void {
  mkdirSync(join(cache(), "rounded-weights", "abc-int8-v2"), { recursive: true });
  writeFileSync(join(cache(), "rounded-weights", "abc-int8-v2", "rounded.safetensors"), "x".repeat(500));
  writeFileSync(join(cache(), "task-grams-00.safetensors.partial-1"), "x".repeat(30));
  writeFileSync(join(cache(), "start-report-00.json"), "x".repeat(20));
  writeFileSync(join(cache(), "what is this"), "x");
}

async function cli(...args: string[]) {
  let [stdout, stderr] = ["", ""];
  const io = { stdout: { write: (text: string) => (stdout += text) }, stderr: { write: (text: string) => (stderr += text) }, signal: new AbortController().signal };
  const code = await runCli(args, io, { home: world.home, engine: { jobsModule, graceMs: 500 }, readers: fakeReaders, pollMs: 50 });
  return { code, stdout, stderr };
}

test("shows every kind with its size, and clears one kind or all; what is cleared is made anew when it is needed", async () => {
  const { services } = world.open();
  const run = async () => (await collect(services.runs.follow({ id: (await services.runs.start(runSettings(world, "plain", { probe: null }))).id, afterStep: 0 }))).at(-1);
  await run();
  fill();
  const { folder, kinds } = services.cache.list();
  expect(folder).toBe(cache());
  expect(kinds.map(({ kind }) => kind).sort()).toEqual([...cacheKinds].sort());
  expect(Object.fromEntries(kinds.map(({ kind, entries, bytes }) => [kind, [entries, bytes > 0]]))).toEqual({ grams: [2, true], starts: [1, true], "start-reports": [1, true], "rounded-weights": [1, true], other: [1, true] });
  expect(kinds.find(({ kind }) => kind === "rounded-weights")!.bytes).toBe(500);

  expect(services.cache.clear("rounded-weights")).toMatchObject([{ kind: "rounded-weights", bytes: 500 }]);
  expect(existsSync(join(cache(), "rounded-weights"))).toBe(false);
  expect(readdirSync(cache())).toHaveLength(5);
  services.cache.clear(null);
  expect(readdirSync(cache())).toEqual([]);
  expect(services.cache.clear(null)).toEqual([]);

  expect(await run()).toMatchObject({ run: { status: "done" } });
  expect(readdirSync(cache())).toHaveLength(2);
});

test("what a run at work may read is refused, and what it does not read is not", async () => {
  const { services } = world.open();
  const { id } = await services.runs.start(runSettings(world, "slow", { samples: 1000, probe: null }));
  await until(() => services.runs.show(id).status === "running", "the run works");
  fill();
  expect(() => services.cache.clear("grams")).toThrow(`The cache's grams may be read by run ${id} now.`);
  expect(() => services.cache.clear(null)).toThrow("may be read by");
  expect(readdirSync(cache()), "all or nothing").toContain("rounded-weights");
  expect(services.cache.clear("rounded-weights")).toHaveLength(1);
  services.runs.cancel(id);
  await collect(services.runs.follow({ id, afterStep: 0 }));
  expect(services.cache.clear("grams")).toHaveLength(1);
});

test("rounded weights stay while a probe with them is at work", async () => {
  const { services } = world.open();
  fill();
  const start = (width: "int8" | "float32") => services.probe.start(probeParams.parse({ model: world.model("slow"), questions: world.questions, limit: 1000, width, fresh: true }));
  for (const [width, isRefused] of [["int8", true], ["float32", false]] as const) {
    const { id } = await start(width);
    if (isRefused) expect(() => services.cache.clear("rounded-weights")).toThrow(`may be read by probe ${id} now`);
    else expect(services.cache.clear("rounded-weights")).toHaveLength(1);
    services.probe.cancel(id);
    await collect(services.probe.follow(id));
  }
});

test("the command line shows it and clears it", async () => {
  await cli("runs", "list"); // makes the store
  fill();
  expect((await cli("cache")).stdout).toMatch(/^rounded-weights\s+1\s+500 B\s+models' weights in 8 and 4 bits/m);
  expect((await cli("cache", "clear", "--kind", "other")).stdout).toBe("other: 1 entry, 1 B\n1 B are free again.\n");
  expect(JSON.parse((await cli("cache", "clear", "--json")).stdout)).toMatchObject({ bytes: 550 });
  expect((await cli("cache", "clear")).stdout).toBe("There was nothing to clear.\n");
  const wrong = await cli("cache", "clear", "--kind", "models");
  expect(wrong).toMatchObject({ code: 1 });
  expect(wrong.stderr).toContain("grams");
});

test("runs resume goes on with a stopped run and follows it to its end", async () => {
  const out = join(world.folder, "run");
  const args = ["train", "--model", world.model("dies-always"), "--init", world.model("start"), "--data", world.data, "--steps", "6", "--checkpoint-every", "2", "--out", out];
  expect((await cli(...args)).code).not.toBe(0);
  // It dies again at the same step: what matters is that it went on from its checkpoint.
  const again = await cli("runs", "resume", "1");
  expect(again.stderr).toContain("Training went on from the checkpoint of step 4.");

  const run = ["run", "--model", world.model("plain"), "--questions", world.questions, "--data", world.data, "--samples", "3", "--steps", "6"];
  expect((await cli(...run)).code).toBe(0);
  const done = await cli("runs", "resume", "2");
  expect(done).toMatchObject({ code: 1 });
  expect(done.stderr).toContain("Run 2 is done: there is nothing to resume.");
  expect((await cli("runs", "resume", "9")).stderr).toContain("There is no run 9.");
});
