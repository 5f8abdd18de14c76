import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runCli } from "../../main/cli/main.ts";
import { fakeReaders, fakeWorld, jobsModule, type FakeWorld } from "../services/fake-app.ts";

let world: FakeWorld;
beforeEach(() => (world = fakeWorld()));
afterEach(() => world.remove());

async function cli(args: string[], signal = new AbortController().signal) {
  let [stdout, stderr] = ["", ""];
  const io = { stdout: { write: (text: string) => (stdout += text) }, stderr: { write: (text: string) => (stderr += text) }, signal };
  const code = await runCli(args, io, { home: world.home, engine: { jobsModule, graceMs: 500 }, readers: fakeReaders, pollMs: 50 });
  return { code, stdout, stderr, json: () => JSON.parse(stdout) as Record<string, never> };
}

const runArgs = (model: string, ...more: string[]) => [
  "run", "--model", world.model(model), "--questions", world.questions, "--data", world.data, "--samples", "3", "--steps", "6", ...more,
];

test("stages one by one: calibrate, init, train, probe, ask", async () => {
  const model = world.model("plain");
  const at = (name: string) => join(world.folder, name);
  const calibrate = await cli(["calibrate", "--model", model, "--questions", world.questions, "--samples", "3", "--out", at("g.safetensors"), "--json"]);
  expect(calibrate).toMatchObject({ code: 0 });
  expect(calibrate.json()).toMatchObject({ isReused: false, result: { kind: "calibrate", out: at("g.safetensors"), tokens: 768 } });
  expect(calibrate.stderr).toContain("Reading calibration text");

  const init = await cli(["init", "--model", model, "--grams", at("g.safetensors"), "--method", "lora-null-v1", "--rank", "4", "--out", at("start"), "--json"]);
  expect(init.json()).toMatchObject({ result: { kind: "init", modules: 7 } });

  const train = await cli(["train", "--model", model, "--init", at("start"), "--data", world.data, "--steps", "6", "--out", at("run"), "--json"]);
  expect(train.json()).toMatchObject({ run: { status: "done", lastStep: 6, folder: at("run") } });
  expect(existsSync(at("run/adapter/adapter_config.json"))).toBe(true);

  const probe = await cli(["probe", "--model", model, "--adapter", at("run/adapter"), "--questions", world.questions, "--limit", "4", "--json"]);
  expect(probe.json()).toMatchObject({ probe: { status: "done", base: { exactMatch: 0.5 }, lost: 1 } });

  const ofRun = await cli(["probe", "--run", "1", "--questions", world.questions, "--limit", "4", "--json"]);
  expect(ofRun.json()).toMatchObject({ probe: { status: "done", lost: 1, config: { model, adapter: at("run/adapter") } } });
  const ofCheckpoint = await cli(["probe", "--run", "1@last", "--questions", world.questions, "--limit", "4", "--json"]);
  expect(ofCheckpoint.stderr).toContain("Run 1 has no checkpoint.");
  const twice = await cli(["probe", "--run", "1", "--model", model, "--questions", world.questions]);
  expect(twice.stderr).toContain("A run has its model and its adapter already.");

  const ask = await cli(["ask", "--model", model, "--adapter", at("run/adapter"), "what is up?", "--json"]);
  expect(ask.json()).toMatchObject({ chatId: 1, answers: [{ label: "Base", tokens: 4 }, { label: "adapter", tokens: 4 }] });
  expect((await cli(["ask", "--model", model, "hi"])).stdout).toMatch(/^pid \d+ says hello\n/);
});

test("calibrate finds the same work again and writes it where it was asked for", async () => {
  const args = (out: string) => ["calibrate", "--model", world.model("plain"), "--questions", world.questions, "--samples", "3", "--out", join(world.folder, out), "--json"];
  await cli(args("a.safetensors"));
  const again = await cli(args("b.safetensors"));
  expect(again.json()).toMatchObject({ isReused: true, result: { out: join(world.folder, "b.safetensors") } });
  expect(existsSync(join(world.folder, "b.safetensors"))).toBe(true);
});

test("a method that looks at the task starts from the Grams of training prompts", async () => {
  const model = world.model("plain");
  const at = (name: string) => join(world.folder, name);
  const calibrate = await cli(["calibrate", "--model", model, "--data", world.data, "--samples", "3", "--out", at("t.safetensors"), "--json"]);
  expect(calibrate.json()).toMatchObject({ result: { kind: "calibrate-task", out: at("t.safetensors") } });
  const init = (...more: string[]) => cli(["init", "--model", model, "--method", "eva", "--out", at("start"), ...more]);
  expect((await init("--task-grams", at("t.safetensors"), "--json")).json()).toMatchObject({ result: { kind: "init" } });
  const without = await init();
  expect(without.code).toBe(1);
  expect(without.stderr).toContain("The method eva needs a Gram file of the training prompts.");
  expect((await cli(["calibrate", "--model", model, "--out", at("x.safetensors")])).stderr).toContain("Neither --questions nor --data is given.");
});

test("init --report writes what the start looks like as JSON and pictures, of one kind or both", async () => {
  const model = world.model("plain");
  const at = (name: string) => join(world.folder, name);
  await cli(["calibrate", "--model", model, "--questions", world.questions, "--samples", "3", "--out", at("g.safetensors")]);
  for (const [format, files] of [["both", ["heat.png", "heat.svg", "layer-00.png", "layer-00.svg"]], ["svg", ["heat.svg", "layer-00.svg"]], ["png", ["heat.png", "layer-00.png"]]] as const) {
    const init = await cli(["init", "--model", model, "--grams", at("g.safetensors"), "--out", at(`start-${format}`), "--report", at(format), ...(format === "both" ? [] : ["--report-format", format])]);
    expect(init.code).toBe(0);
    expect(readdirSync(at(format)).filter((name) => !name.startsWith("layer-01")).sort()).toEqual([...files, "report.json"]);
    for (const name of files) expect(readFileSync(join(at(format), name)).subarray(0, 4).toString("latin1")).toBe(name.endsWith("png") ? "\x89PNG" : "<svg");
  }
});

test("run does all stages; runs lists, shows and deletes it", async () => {
  const run = await cli(runArgs("plain", "--probe-questions", world.questions, "--limit", "4", "--name", "first", "--json"));
  expect(run.code).toBe(0);
  expect(run.json()).toMatchObject({ run: { id: 1, name: "first", status: "done", lastStep: 6 } });
  expect(run.stderr).toContain("Training: done.");
  expect(run.stderr.match(/^solver: none, these are fakes$/gm), "said once, however short the stage").toHaveLength(1);

  expect((await cli(["runs", "list", "--json"])).json()).toMatchObject({ runs: [{ id: 1, status: "done" }] });
  expect((await cli(["runs", "list"])).stdout).toContain("first");
  expect((await cli(["runs", "show", "1"])).stdout).toContain("exact match");
  expect((await cli(["runs", "delete", "1", "--json"])).json()).toEqual({ deleted: 1 });
  expect((await cli(["runs", "list", "--json"])).json()).toEqual({ runs: [] });
});

test("user errors exit with 1 and one JSON object", async () => {
  for (const args of [["runs", "show", "9"], ["runs", "show", "nine"], ["calibrate"], ["nonsense"], runArgs("wrong"), runArgs("plain", "--rank", "0"), runArgs("plain", "--epochs", "2")]) {
    const { code, json, stderr } = await cli([...args, "--json"]);
    expect(code, args.join(" ")).toBe(1);
    expect(json()).toMatchObject({ error: { isBug: false } });
    expect(stderr.length).toBeGreaterThan(0);
  }
});

test("a fault of ours exits with 2", async () => {
  const { code, json } = await cli([...runArgs("bug"), "--json"]);
  expect(code).toBe(2);
  expect(json()).toMatchObject({ error: { isBug: true }, run: { status: "failed" } });
});

test("Ctrl+C in a run cancels it, exits with 130, and the same command goes on later", async () => {
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 1200);
  const args = runArgs("slow", "--json");
  args[args.indexOf("--steps") + 1] = "120";
  const { code, json } = await cli(args, controller.signal);
  expect(code).toBe(130);
  expect(json()).toMatchObject({ cancelled: true, run: { id: 1, status: "cancelled" } });
  args[args.indexOf("--steps") + 1] = "6";
  expect((await cli(args)).json(), "other settings are another run").toMatchObject({ run: { id: 2, status: "done" } });
  args[args.indexOf("--steps") + 1] = "120";
  expect((await cli(args)).json()).toMatchObject({ run: { id: 1, status: "done", lastStep: 120 } });
});

test.each(["calibrate", "probe", "ask"])("Ctrl+C in %s exits with 130 and one JSON object", async (name) => {
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 500);
  const model = ["--model", world.model("slow")];
  const args = {
    calibrate: ["calibrate", ...model, "--questions", world.questions, "--samples", "1000", "--out", join(world.folder, "g")],
    probe: ["probe", ...model, "--questions", world.questions, "--limit", "1000"],
    ask: ["ask", "--model", world.model("deaf"), "hi"],
  }[name]!;
  const { code, json } = await cli([...args, "--json"], controller.signal);
  expect(code).toBe(130);
  expect(json()).toMatchObject({ cancelled: true });
});

test("train --resume goes on in the same run and folder", async () => {
  const out = join(world.folder, "run");
  const args = ["train", "--model", world.model("dies-always"), "--init", world.model("start"), "--data", world.data, "--steps", "6", "--out", out, "--json"];
  expect((await cli(args)).json()).toMatchObject({ run: { id: 1, status: "failed" } });
  expect((await cli(args)).json()).toMatchObject({ error: { fix: expect.stringContaining("--resume") } });
  expect((await cli([...args, "--resume"])).json()).toMatchObject({ run: { id: 1 } });
});

test("every command has help that names its units and defaults", async () => {
  const help = await cli(["train", "--help"]);
  expect(help.code).toBe(0);
  for (const part of ["optimizer steps", "tokens", "(default: 4)", "--resume"]) expect(help.stdout).toContain(part);
  expect((await cli(["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});
