import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { JobEvent } from "../../main/engine/events.ts";
import { startEngine, type Engine } from "../../main/engine/host.ts";
import type { AskJob } from "../../main/engine/answer-jobs.ts";
import type { JobSpec } from "../../main/engine/jobs.ts";
import type { TrainJob } from "../../main/engine/train-jobs.ts";
import { forkEngine } from "../../main/engine/launch.ts";

const jobsModule = new URL("./fake-jobs.ts", import.meta.url).href;
let folder = "";
let engine: Engine;
let pids: (number | undefined)[] = [];
let output = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "nullspace-engine-"));
  pids = [];
  output = "";
  engine = startEngine({
    jobsModule,
    graceMs: 300,
    idleMs: 400,
    log: (text) => (output += text),
    launch: (env) => {
      const child = forkEngine(env);
      pids.push(child.pid);
      return child;
    },
  });
});
afterEach(async () => {
  await engine.close();
  rmSync(folder, { recursive: true, force: true });
});

function train(model: string, changes: Partial<TrainJob> = {}): TrainJob {
  return {
    kind: "train", model, init: "init", data: "rows.jsonl", template: "chat", steps: 6, epochs: null, batch: 1, accumulate: 1,
    length: 64, learningRate: 1e-4, warmupRatio: 0, clipNorm: 1, weightDecay: 0, checkpointEverySteps: 2,
    validation: null, retention: null, recomputed: "auto", memoryBytes: null, seed: 0,
    out: folder, resume: false, ...changes,
  };
}

function ask(model: string): AskJob {
  const sampling = { temperature: 0, topP: 1, topK: 0, minP: 0, repetitionPenalty: 1, maxNewTokens: 8, seed: 0 };
  return { kind: "ask", model, columns: [{ adapter: null, messages: [{ role: "user", content: "hi" }] }], template: "chat", sampling };
}

async function run<J extends JobSpec>(spec: J, signal = new AbortController().signal) {
  const events: JobEvent[] = [];
  const end = await engine.run(spec, { emit: (event) => events.push(event), signal });
  return { end, events };
}

function isAlive(pid: number | undefined): boolean {
  try {
    return process.kill(pid!, 0);
  } catch {
    return false;
  }
}

async function until(isSo: () => boolean): Promise<void> {
  for (let tries = 0; tries < 200 && !isSo(); tries++) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(isSo()).toBe(true);
}

test("a job's events arrive in order and its end is its result", async () => {
  const { end, events } = await run(train("plain"));
  expect(end).toMatchObject({ type: "done", result: { kind: "train", steps: 6 } });
  expect(events.flatMap((event) => (event.type === "point" ? [event.point.step] : []))).toEqual([1, 2, 3, 4, 5, 6]);
  await until(() => !isAlive(pids[0]));
});

test("a user error keeps its three parts, any other error is a bug with its stack", async () => {
  const wrong = await run(train("wrong"));
  expect(wrong.end).toMatchObject({ type: "failed", hasDied: false, error: { where: "config.json: hidden_size", isBug: false, stack: null } });
  const bug = await run(train("bug"));
  expect(bug.end).toMatchObject({ type: "failed", error: { isBug: true, stack: expect.stringContaining("fake-jobs") } });
});

test("an engine process killed in the middle of training names the checkpoint to resume from", async () => {
  const { end } = await run(train("dies"));
  expect(end).toMatchObject({ type: "failed", hasDied: true, lastCheckpointStep: 4, error: { isBug: false } });
  if (end.type !== "failed") throw new Error("not failed");
  expect(end.error.what).toContain("SIGKILL");
  expect(end.error.fix).toContain("step 4");
  const resumed = await run(train("dies", { resume: true }));
  expect(resumed.end.type).toBe("done");
  expect(resumed.events.flatMap((event) => (event.type === "point" ? [event.point.step] : []))).toEqual([5, 6]);
});

test("a cancelled job stops by itself", async () => {
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 250);
  const { end } = await run(train("slow", { steps: 10_000 }), controller.signal);
  expect(end).toEqual({ type: "cancelled" });
});

test("a job that does not listen is killed after its time of grace", async () => {
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 250);
  const startedMs = performance.now();
  const { end } = await run(train("deaf"), controller.signal);
  expect(end).toEqual({ type: "cancelled" });
  expect(performance.now() - startedMs).toBeLessThan(5000);
  await until(() => !isAlive(pids[0]));
});

test("questions to one model share a warm process, which goes when idle", async () => {
  await run(ask("model-a"));
  await run(ask("model-a"));
  expect(pids).toHaveLength(1);
  await run(ask("model-b"));
  expect(pids).toHaveLength(2);
  await until(() => !isAlive(pids[0]) && !isAlive(pids[1]));
});

test("training gets a fresh process each time", async () => {
  await run(train("plain"));
  await run(train("plain", { resume: true }));
  expect(new Set(pids).size).toBe(2);
});

test("closing the engine ends its processes and cancels what runs", async () => {
  const running = run(train("slow", { steps: 10_000 }));
  await until(() => pids.length === 1);
  await engine.close();
  expect((await running).end).toEqual({ type: "cancelled" });
  await until(() => !isAlive(pids[0]));
});
