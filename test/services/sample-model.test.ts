// The sample model and the demo: fetched once at a time, cancelled and begun again, and one run for window and command line.

import { afterEach, beforeEach, expect, test } from "vitest";
import type { Engine, JobEnd } from "../../main/engine/host.ts";
import type { JobSpec } from "../../main/engine/jobs.ts";
import { openApp } from "../../main/services/app.ts";
import { writeTinyModel } from "../support/tiny-model.ts";
import { collect, fakeWorld, until, type FakeWorld } from "./fake-app.ts";

let world: FakeWorld;
beforeEach(() => (world = fakeWorld()));
afterEach(() => world.remove());

test("two at once are refused; after a cancel the next try waits until the first has stopped", async () => {
  let running = 0;
  let most = 0;
  let tries = 0;
  const engine = {
    run(spec: JobSpec, { signal }: { signal: AbortSignal }) {
      tries++;
      most = Math.max(most, ++running);
      return new Promise<JobEnd>((resolve) => {
        const end = (result: JobEnd): void => (running--, resolve(result));
        if (spec.kind !== "sample-model") throw new Error("only the sample is fetched here");
        if (tries === 1) return signal.addEventListener("abort", () => setTimeout(() => end({ type: "cancelled" }), 100));
        writeTinyModel(spec.out);
        end({ type: "done", result: { kind: "sample-model", folder: spec.out, source: "hub", elapsedMs: 1 } });
      });
    },
    close: async () => {},
  } as Engine;
  const app = openApp({ home: world.home, engine, pollMs: 50 });
  const controller = new AbortController();
  const isCancelled = expect(collect(app.services.sampleModel.fetch(controller.signal))).rejects.toMatchObject({ name: "AbortError" });
  await until(() => tries === 1, "the first has begun");
  await expect(collect(app.services.sampleModel.fetch())).rejects.toThrow(/being fetched already/);
  controller.abort();
  const again = await collect(app.services.sampleModel.fetch());
  await isCancelled;
  expect(again).toMatchObject([{ type: "done", source: "hub", model: { problem: null } }]);
  expect([tries, most]).toEqual([2, 1]);
  await app.close();
});

test("the demo is one run on the shipped samples, and goes on where it stopped", async () => {
  const { services } = world.open();
  const model = world.model("slow");
  const { id, prompts } = await services.demo.start(model);
  expect(prompts.length).toBeGreaterThan(1);
  expect(services.runs.show(id)).toMatchObject({ name: "Demo: word problems", config: { steps: 30, probe: { limit: 60 }, taskProbe: { limit: 24 } } });
  services.runs.cancel(id);
  await until(() => services.runs.show(id).status === "cancelled", "it has stopped");
  expect((await services.demo.start(model)).id).toBe(id);
});
