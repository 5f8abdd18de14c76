// A real engine process training a real (tiny) model, killed in mid-run: what the run says, what is lost, how it ends.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { forkEngine, type EngineProcess } from "../../main/engine/launch.ts";
import type { UpMessage } from "../../main/engine/messages.ts";
import { openApp, type App } from "../../main/services/app.ts";
import { trainParams } from "../../main/services/params/training.ts";
import type { RunDetail, RunEvent } from "../../main/services/shapes/runs.ts";
import type { TrainPoint } from "../../main/engine/events.ts";
import { tinyRun, type TinyRun } from "../support/tiny-run.ts";

let folder: string;
let run: TinyRun;
let apps: App[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "nullspace-crash-"));
  run = tinyRun(folder);
  apps = [];
});
afterEach(async () => {
  await Promise.all(apps.map((app) => app.close()));
  rmSync(folder, { recursive: true, force: true });
});

const steps = 24;
const every = 5;

/** An app whose first engine process is killed when it has told of `killAt`; `told` is the last step it told of. */
function open(home: string, killAt = Infinity): App & { told: () => number } {
  let told = 0;
  let isFirst = true;
  const launch = (env: Record<string, string>): EngineProcess => {
    const child = forkEngine(env);
    const isVictim = isFirst;
    isFirst = false;
    return {
      ...child,
      onMessage: (listener) =>
        child.onMessage((message) => {
          const { event } = message as UpMessage;
          if (isVictim && event.type === "point") told = event.point.step;
          if (isVictim && event.type === "point" && told === killAt) child.kill(); // SIGKILL
          listener(message);
        }),
    };
  };
  const app = openApp({ home: join(folder, home), engine: { launch }, pollMs: 20 });
  apps.push(app);
  return { ...app, told: () => told };
}

const settings = (init: string, out: string) =>
  trainParams.parse({ model: run.model, init, data: run.data, steps, batch: 2, accumulate: 2, learningRate: 5e-3, checkpointEverySteps: every, out: join(folder, out) });

async function follow(app: App, id: number): Promise<RunDetail> {
  for await (const event of app.services.runs.follow({ id, afterStep: 0 }) as AsyncIterable<RunEvent>) {
    if (event.type === "ended") return event.run;
  }
  throw new Error("The run never ended");
}

const curveOf = (app: App, id: number): Pick<TrainPoint, "step" | "lossNats" | "gradNorm">[] =>
  app.services.runs.points({ id, afterStep: 0, limit: 1000 }).map(({ step, lossNats, gradNorm }) => ({ step, lossNats, gradNorm }));
const adapterOf = (detail: RunDetail): Buffer => readFileSync(join(detail.folder, "adapter", "adapter_model.safetensors"));

test("an engine process killed in mid-training loses the work since its last checkpoint and nothing else", async () => {
  const init = await run.start("lora-null-v2");
  const untouched = open("untouched");
  const whole = await follow(untouched, (await untouched.services.runs.train(settings(init, "whole"))).id);
  expect(whole.status).toBe("done");

  const app = open("killed", 8);
  const { id } = await app.services.runs.train(settings(init, "killed"));
  const killed = await follow(app, id);

  expect(killed).toMatchObject({ status: "done", lastStep: steps, error: null });
  const [interrupted, resumed] = killed.notes.filter(({ kind }) => kind === "interrupted" || kind === "resumed");
  const from = Number(/^Training went on from the checkpoint of step (\d+)\.$/.exec(resumed.text)![1]);
  console.log(`killed at step ${app.told()}, went on from step ${from}`);
  expect(interrupted.text).toMatch(/was ended by SIGKILL in the middle of the train job/);
  expect(interrupted.text).toContain(`Training goes on from the checkpoint of step ${from}.`);
  expect(from).toBeGreaterThan(0);
  expect(from % every).toBe(0);
  expect(app.told() - from, "steps done twice").toBeLessThan(every);
  expect(curveOf(app, id)).toEqual(curveOf(untouched, whole.id));
  expect(adapterOf(killed).equals(adapterOf(whole))).toBe(true);
});

test("killed before its first checkpoint, the run fails with that reason and resuming starts it again", async () => {
  const init = await run.start("lora");
  const app = open("early", 1);
  const { id } = await app.services.runs.train({ ...settings(init, "early"), checkpointEverySteps: 1000 });
  const failed = await follow(app, id);
  expect(failed).toMatchObject({ status: "failed", canResume: true, error: { isBug: false } });
  expect(failed.error!.what).toMatch(/SIGKILL/);
  expect(failed.error!.fix).toMatch(/resuming starts at step 0/);
  app.services.runs.resume(id);
  const resumed = await follow(app, id);
  expect(resumed).toMatchObject({ status: "done", lastStep: steps });
  expect(curveOf(app, id).map(({ step }) => step)).toEqual(Array.from({ length: steps }, (_, i) => i + 1));
});
