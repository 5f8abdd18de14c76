// Validation and memory on the command line.

import { afterEach, beforeEach, expect, test } from "vitest";
import { runCli } from "../../main/cli/main.ts";
import { fakeReaders, fakeWorld, jobsModule, type FakeWorld } from "../services/fake-app.ts";
import { writeTinyTokenizer } from "../support/tiny-model.ts";

let world: FakeWorld;
beforeEach(() => (world = fakeWorld()));
afterEach(() => world.remove());

async function cli(args: string[]) {
  let [stdout, stderr] = ["", ""];
  const signal = new AbortController().signal;
  const io = { stdout: { write: (text: string) => (stdout += text) }, stderr: { write: (text: string) => (stderr += text) }, signal };
  const code = await runCli(args, io, { home: world.home, engine: { jobsModule, graceMs: 500 }, readers: fakeReaders, pollMs: 50 });
  return { code, stdout, stderr, json: () => JSON.parse(stdout) as Record<string, never> };
}

const run = (...more: string[]) => ["run", "--model", world.model("plain"), "--questions", world.questions, "--data", world.data, "--samples", "3", "--steps", "6", ...more];

test("a run with validation says each loss, the best step and the memory; runs show says it again", async () => {
  const { code, stdout, stderr } = await cli(run("--validation-rows", "1", "--validate-every", "2", "--patience", "9"));
  expect(code).toBe(0);
  expect(stderr).toContain("Validation after step 4: loss 1.000, the lowest so far");
  for (const text of [stdout, (await cli(["runs", "show", "1"])).stdout]) {
    expect(text).toContain("Validation on 2 rows: lowest loss 1.000 at step 4, 1.250 at step 6; the adapter is of step 4.");
    expect(text).toContain("Memory of training: 1.5 GB estimated, 1.4 GB measured at the peak (the estimate was +7 % off)");
  }
});

test("--keep last makes the adapter from the last step", async () => {
  const { json } = await cli(run("--validation", world.data, "--validate-every", "2", "--keep", "last", "--json"));
  const { stages, validations } = json()["run"] as { stages: { stage: string; result: { validation: object } }[]; validations: object[] };
  expect(validations).toHaveLength(3);
  expect(stages.find(({ stage }) => stage === "train")!.result.validation).toMatchObject({ adapterStep: 6 });
});

test("two sources of validation rows, and choices that there are not, are refused", async () => {
  for (const [args, part] of [
    [["--validation", world.data, "--validation-share", "0.1"], "exactly one of data, rows and share"],
    [["--validation-share", "1.5"], "validation.share"],
    [["--keep", "first"], "best, last"],
    [["--recompute", "all"], "auto, none, cheap, scores, layer"],
    [["--memory-limit", "much"], "must be a number"],
  ] as const) {
    const { code, stderr } = await cli(run(...args));
    expect(code, args.join(" ")).toBe(1);
    expect(stderr).toContain(part);
  }
});

test("estimate says the memory term by term, before anything is started", async () => {
  const model = world.model("plain");
  writeTinyTokenizer(model);
  const args = ["estimate", "--model", model, "--data", world.data, "--rank", "4", "--batch", "2"];
  const { code, stdout } = await cli(args);
  expect(code).toBe(0);
  expect(stdout).toContain("Training takes about 1.5 GB of 8.0 GB that may be taken: it fits.");
  expect(stdout).toMatch(/weights +500\.0 MB/);
  expect((await cli([...args, "--json"])).json()).toMatchObject({ memory: { fits: true, terms: { weights: 5e8 } } });
  expect((await cli(["runs", "list", "--json"])).json()).toEqual({ runs: [] });
});
