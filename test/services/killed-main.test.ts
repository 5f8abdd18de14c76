// The main process of a training stopped and killed while its engine process, a real one, works on: what the engine did
// and nobody stored is told again when the run goes on, and a run that another process took away is not called done.

import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openStore } from "../../main/db/store.ts";
import { forkEngine } from "../../main/engine/launch.ts";
import type { UpMessage } from "../../main/engine/messages.ts";
import { openApp, type App } from "../../main/services/app.ts";
import { trainParams } from "../../main/services/params/training.ts";
import type { RunDetail, RunEvent } from "../../main/services/shapes/runs.ts";
import { tinyRun, type TinyRun } from "../support/tiny-run.ts";

const bin = fileURLToPath(new URL("../../bin/nullspace.mjs", import.meta.url));
const isUnix = process.platform !== "win32"; // SIGSTOP
let folder: string;
let run: TinyRun;
let apps: App[];
let started: ChildProcess[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "nullspace-killed-"));
  run = tinyRun(folder);
  [apps, started] = [[], []];
});
afterEach(async () => {
  for (const child of started) if (child.exitCode === null) child.kill("SIGKILL");
  await Promise.all(apps.map((app) => app.close()));
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
});

const steps = 80;
interface Every {
  checkpoint: number;
}

const settings = (init: string, out: string, every: Every) =>
  trainParams.parse({
    model: run.model, init, data: run.data, steps, batch: 2, accumulate: 2, learningRate: 5e-3, checkpointEverySteps: every.checkpoint, out: join(folder, out),
    validation: { rows: 6, everySteps: 8 }, retention: { questions: run.questions, shots: 2, limit: 10, everySteps: 7 },
  });

/** The same training from the command line, a process of its own. */
function cli(init: string, out: string, every: Every): ChildProcess {
  const options = {
    model: run.model, init, data: run.data, steps, batch: 2, accumulate: 2, lr: 5e-3, "checkpoint-every": every.checkpoint, out: join(folder, out),
    "validation-rows": 6, "validate-every": 8, "retention-every": 7, "retention-questions": run.questions, "retention-shots": 2, "retention-limit": 10,
  };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const child = spawn(process.execPath, [bin, "train", ...args, "--json"], { env: { ...process.env, NULLSPACE_HOME: join(folder, "home") }, stdio: ["ignore", "ignore", "inherit"] });
  started.push(child);
  return child;
}

function open(home: string, options: Parameters<typeof openApp>[0] = {}): App {
  const app = openApp({ home: join(folder, home), pollMs: 20, ...options });
  apps.push(app);
  return app;
}

async function follow(app: App, id: number): Promise<RunDetail> {
  for await (const event of app.services.runs.follow({ id, afterStep: 0 }) as AsyncIterable<RunEvent>) {
    if (event.type === "ended") return event.run;
  }
  throw new Error("The run never ended");
}

async function until(isSo: () => boolean, what: string): Promise<void> {
  for (let tries = 0; tries < 3000; tries++) {
    if (isSo()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`Waited too long until ${what}`);
}

const untimed = <T extends { elapsedMs: number }>(points: readonly T[]) => points.map(({ elapsedMs: _, ...point }) => point);

/** All that a run has to show, without times. */
function shown(app: App, detail: RunDetail) {
  const points = app.services.runs.points({ id: detail.id, afterStep: 0, limit: 1000 }).map(({ step, lossNats, gradNorm, tokens }) => ({ step, lossNats, gradNorm, tokens }));
  const result = detail.stages.find(({ stage }) => stage === "train")!.result;
  const { validation, retention, trainedTokens } = result?.kind === "train" ? result : { validation: null, retention: null, trainedTokens: 0 };
  const adapter = readFileSync(join(detail.folder, "adapter", "adapter_model.safetensors")).toString("base64");
  return { status: detail.status, points, validations: untimed(detail.validations), retentions: untimed(detail.retentions), rows: detail.rows, result: { validation, retention, trainedTokens }, adapter };
}

async function whole(init: string, every: Every) {
  const app = open("untouched");
  const detail = await follow(app, (await app.services.runs.train(settings(init, "whole", every))).id);
  return shown(app, detail);
}

/** The command line's process, stopped when the store has `atLeast` steps. */
async function stopped(app: App, init: string, every: Every, atLeast: number): Promise<ChildProcess> {
  const child = cli(init, "killed", every);
  await until(() => (app.services.runs.list(1)[0]?.lastStep ?? 0) >= atLeast, "a step is stored");
  child.kill("SIGSTOP");
  return child;
}

const checkpoints = (): string[] => {
  const place = join(folder, "killed", "checkpoints");
  return existsSync(place) ? readdirSync(place).filter((name) => /^step-\d+\.safetensors$/.test(name)).sort() : [];
};

test.runIf(isUnix)("main was killed while its engine finished: the run goes on and has every point, validation and retention", async () => {
  const init = await run.start("lora");
  const every = { checkpoint: 10 };
  const expected = await whole(init, every);
  const app = open("home");
  const child = await stopped(app, init, every, 1);
  await until(() => existsSync(join(folder, "killed", "adapter", "adapter_model.safetensors")), "the engine has written the adapter");
  child.kill("SIGKILL");
  await until(() => child.signalCode === "SIGKILL", "main is gone");

  const [{ id }] = app.services.runs.list(1);
  app.services.runs.cancel(id); // any look at the store finds what the dead left
  const left = app.services.runs.show(id);
  expect(left).toMatchObject({ status: "interrupted", canResume: true });
  expect(left.lastStep, "there must be something that nobody stored").toBeLessThan(steps);
  console.log(`stored: ${left.lastStep} of ${steps} steps, ${left.validations.length} validations, ${left.retentions.length} retentions`);
  app.services.runs.resume(id);
  expect(shown(app, await follow(app, id))).toEqual(expected);
  expect(app.services.runs.show(id).memory!.measuredBytes).toBeGreaterThan(0);
});

test.runIf(isUnix)("main was killed before it knew of the first checkpoint: the run goes on from it", async () => {
  const init = await run.start("lora");
  const every = { checkpoint: 60 };
  const expected = await whole(init, every);
  const app = open("home");
  const child = await stopped(app, init, every, 1);
  await until(() => checkpoints().length > 0, "a checkpoint is written");
  child.kill("SIGKILL");
  await until(() => child.signalCode === "SIGKILL", "main is gone");

  const [{ id }] = app.services.runs.list(1);
  app.services.runs.cancel(id);
  expect(app.services.runs.show(id)).toMatchObject({ status: "interrupted", checkpoints: [] });
  app.services.runs.resume(id);
  const detail = await follow(app, id);
  expect(detail.error).toBeNull();
  expect(detail.notes.map(({ text }) => text)).toContainEqual(expect.stringMatching(/^Training went on from the checkpoint of step (60|80)\.$/));
  expect(shown(app, detail)).toEqual(expected);
});

test("a run that another process took away while its engine finished is not found as done", async () => {
  const init = await run.start("lora");
  const every = { checkpoint: 10 };
  const expected = await whole(init, every);
  const database = join(folder, "home", "nullspace.db");
  let isTaken = false;
  const launch: typeof forkEngine = (env) => {
    const child = forkEngine(env);
    return {
      ...child,
      onMessage: (listener) =>
        child.onMessage((message) => {
          const { event } = message as UpMessage;
          if (!isTaken && event.type === "point" && event.point.step === steps) takeAway();
          listener(message);
        }),
    };
  };
  /** As the sweep of another process does after twenty seconds of silence. */
  function takeAway(): void {
    isTaken = true;
    const store = openStore(database);
    for (const { owner } of store.owners.list()) store.owners.remove(owner);
    for (const id of store.runs.orphans()) store.runs.interrupt(id, { what: "gone", where: "test", fix: "resume", isBug: false }, Date.now());
    store.close();
  }
  const app = open("home", { engine: { launch } });
  const { id } = await app.services.runs.train(settings(init, "killed", every));
  const left = await follow(app, id);
  expect(left.status).toBe("interrupted");
  await until(() => existsSync(join(folder, "killed", "adapter", "adapter_model.safetensors")), "the engine has written the adapter");
  app.services.runs.resume(id);
  expect(shown(app, await follow(app, id))).toEqual(expected);
});
