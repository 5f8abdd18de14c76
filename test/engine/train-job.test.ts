// The training job on a tiny model: stopping and going on, seeds, damage, divergence.

import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { folderHold } from "../../main/engine/jobs/hold-folder.ts";
import type { TrainJob } from "../../main/engine/train-jobs.ts";
import { openSafetensors } from "../../native-models/checkpoint/safetensors.ts";
import { UserError } from "../../native-models/errors.ts";
import { pointsOf, tinyRun, train, type TinyRun } from "../support/tiny-run.ts";

let folder: string;
let run: TinyRun;
let lora: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "nullspace-train-"));
  run = tinyRun(folder);
  lora = await run.start("lora");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const adapterOf = ({ out }: TrainJob): Buffer => readFileSync(join(out, "adapter", "adapter_model.safetensors"));
const checkpointsOf = ({ out }: TrainJob): string[] => readdirSync(join(out, "checkpoints")).sort();
const vectorsOf = ({ out }: TrainJob, name: string) => {
  const file = openSafetensors(join(out, "checkpoints", name));
  return Object.fromEntries(["parameters", "firstMoments", "secondMoments"].map((vector) => [vector, file.f32(vector)]));
};
const last = "step-00000008.safetensors";

async function refusal(job: TrainJob): Promise<UserError> {
  const error = await train(job).then(() => null, (reason: unknown) => reason);
  expect(error).toBeInstanceOf(UserError);
  return error as UserError;
}

describe("going on from a checkpoint", () => {
  test.each(["lora", "lora-null-v1", "lora-null-v2"] as const)("%s: stopping after step 3 and resuming equals never stopping, bit for bit", async (method) => {
    const init = await run.start(method);
    const whole = run.job(`whole-${method}`, init);
    const { events } = await train(whole);
    const parted = run.job(`parted-${method}`, init);
    const first = await train(parted, { stopAfter: 3 });
    expect(first.result).toBeNull();
    expect(checkpointsOf(parted)).toContain("step-00000003.safetensors");
    const second = await train({ ...parted, resume: true });
    expect(second.events.find((event) => event.type === "resumed")).toMatchObject({ step: 3 });
    expect([...pointsOf(first.events), ...pointsOf(second.events)]).toEqual(pointsOf(events));
    expect(vectorsOf(parted, last)).toEqual(vectorsOf(whole, last));
    expect(adapterOf(parted).equals(adapterOf(whole))).toBe(true);
    expect(second.result).toMatchObject({ steps: 8, firstLossNats: pointsOf(events)[0].lossNats });
  });

  test("a checkpoint damaged by a power cut falls back to the one before, and the run still ends the same", async () => {
    const whole = run.job("undamaged", lora);
    await train(whole);
    const cut = run.job("damaged", lora);
    await train(cut, { stopAfter: 5 });
    expect(checkpointsOf(cut)).toEqual(["step-00000004.safetensors", "step-00000005.safetensors"]);
    truncateSync(join(cut.out, "checkpoints", "step-00000005.safetensors"), 1000);
    const { events } = await train({ ...cut, resume: true });
    expect(events.find((event) => event.type === "resumed")).toMatchObject({ step: 4 });
    expect(adapterOf(cut).equals(adapterOf(whole))).toBe(true);
  });

  test("tells again all that was said up to the checkpoint, for a listener that died before it stored it", async () => {
    const judged: Partial<TrainJob> = { validation: { from: { rows: 6 }, everySteps: 2, patience: null, leastImprovementNats: 0, keeps: "best" }, retention: { questions: run.questions, shots: 2, limit: 10, everySteps: 3, floor: null } };
    const job = run.job("told-again", lora, judged);
    const first = await train(job, { stopAfter: 5 });
    const { events } = await train({ ...job, resume: true });
    const said = { points: [...first.events, ...events].flatMap((event) => (event.type === "point" ? [event.point] : [])), validations: first.events.flatMap((event) => (event.type === "validation" ? [event.point] : [])), retentions: first.events.flatMap((event) => (event.type === "retention" ? [event.point] : [])) };
    expect(events.find((event) => event.type === "resumed")).toMatchObject({ step: 5, history: { ...said, points: said.points.slice(0, 5), warnings: [] } });
    const again = await train({ ...job, resume: true });
    const resumed = again.events.find((event) => event.type === "resumed");
    expect(pointsOf(again.events)).toEqual([]);
    expect(resumed!.history!.points).toEqual(said.points);
    expect(resumed!.history!.validations.map(({ step }) => step)).toEqual([2, 4, 6, 8]);
    expect(resumed!.history!.retentions.map(({ step }) => step)).toEqual([0, 3, 6, 8]);
  });

  test("a training whose folder another one has taken stops, and writes nothing more there", async () => {
    const job = run.job("taken", lora);
    const checkpoints = join(job.out, "checkpoints");
    const later = folderHold(checkpoints);
    const stopped = await train(job, { onEvent: (event) => event.type === "point" && event.point.step === 5 && later.take() }).then(() => null, (reason: unknown) => reason);
    expect(stopped).toBeInstanceOf(UserError);
    expect((stopped as UserError).parts.what).toMatch(/^Another Nullspace process has gone on with this training/);
    expect(checkpointsOf(job)).toEqual(["holder", "step-00000002.safetensors", "step-00000004.safetensors"]);
    expect(existsSync(join(job.out, "adapter"))).toBe(false);
    later.requireHeld();
    later.release();
    expect(checkpointsOf(job)).not.toContain("holder");
  });

  test("a resumed run without any checkpoint starts at step 1", async () => {
    const { events } = await train(run.job("from-nothing", lora, { resume: true, steps: 2 }));
    expect(events.some((event) => event.type === "resumed")).toBe(false);
    expect(pointsOf(events).map(({ step }) => step)).toEqual([1, 2]);
  });

  test.each<[string, Partial<TrainJob>]>([
    ["learningRate", { learningRate: 1e-3 }],
    ["seed", { seed: 1 }],
    ["batch", { batch: 1 }],
    ["steps", { steps: 9 }],
    ["clipNorm", { clipNorm: null }],
    ["template", { template: "alpaca" }],
  ])("other settings are refused, naming %s", async (field, changes) => {
    const job = run.job("settled", lora);
    if (field === "learningRate") await train(job, { stopAfter: 2 });
    const error = await refusal({ ...job, ...changes, resume: true });
    expect(error.where).toMatch(new RegExp(`step-00000002\\.safetensors: ${field}$`));
    expect(error.what).toContain(`${field} = `);
  });

  test("changed rows and another start are refused as well", async () => {
    const job = run.job("settled", lora);
    const data = join(folder, "other-rows.jsonl");
    writeFileSync(data, readFileSync(run.data, "utf8").replace("river", "stream"));
    expect((await refusal({ ...job, data, resume: true })).where).toMatch(/: data$/);
    const before = readFileSync(join(job.out, "start", "start.json"), "utf8");
    expect((await refusal({ ...job, init: await run.start("lora-null-v2"), resume: true })).where).toMatch(/: (start|method)$/);
    // Bug: the refused start had already replaced the run's own.
    expect(readFileSync(join(job.out, "start", "start.json"), "utf8")).toBe(before);
  });

  test("a folder that holds a run is not trained over", async () => {
    const error = await refusal(run.job("settled", lora));
    expect(error.what).toBe("The folder holds a run already, at step 2.");
  });
});

describe("a run", () => {
  test("keeps its last two checkpoints only", async () => {
    const job = run.job("kept", lora);
    const { events } = await train(job);
    expect(events.flatMap((event) => (event.type === "checkpoint" ? [event.step] : []))).toEqual([2, 4, 6, 8]);
    expect(checkpointsOf(job)).toEqual(["step-00000006.safetensors", last]);
  });

  test("of seed 0 is the same each time, and not that of seed 1", async () => {
    const [first, again, other] = [run.job("seed-0", lora), run.job("seed-0-again", lora), run.job("seed-1", lora, { seed: 1 })];
    for (const job of [first, again, other]) await train(job);
    expect(adapterOf(again).equals(adapterOf(first))).toBe(true);
    expect(adapterOf(other).equals(adapterOf(first))).toBe(false);
  });

  test("learns: the same rows over and over lose half of their loss", async () => {
    const data = join(folder, "one-row.jsonl");
    writeFileSync(data, `${JSON.stringify({ query: "what is the sky", response: "two rivers and a stone" })}\n`);
    const { result } = await train(run.job("learns", lora, { data, steps: 16, learningRate: 2e-2, batch: 1, accumulate: 1 }));
    console.log(`one row for 16 steps: loss ${result!.firstLossNats.toFixed(3)} → ${result!.lastLossNats.toFixed(3)}`);
    expect(result!.lastLossNats).toBeLessThan(result!.firstLossNats / 2);
  });

  test("that diverges stops with its step, its rows and the last good checkpoint", async () => {
    const job = run.job("diverges", lora, { learningRate: 1e12, clipNorm: null, warmupRatio: 0, steps: 50, checkpointEverySteps: 1 });
    const { what, where, fix } = await refusal(job);
    expect(what).toMatch(/^Training diverged at step \d+: loss \S+, gradient norm \S+\. Rows of that step: \d+, \d+, \d+, \d+\.$/);
    expect(where).toBe(job.out);
    expect(fix).toContain(`The last good checkpoint is ${join(job.out, "checkpoints", checkpointsOf(job).at(-1)!)}.`);
    const { parameters } = vectorsOf(job, checkpointsOf(job).at(-1)!);
    expect(parameters.every(Number.isFinite)).toBe(true);
    const step = Number(/step (\d+)/.exec(what)![1]);
    expect(checkpointsOf(job).at(-1)).toBe(`step-${String(step - 1).padStart(8, "0")}.safetensors`);
  });

  test("counts the rows it leaves out", async () => {
    const { result } = await train(run.job("counted", lora, { steps: 1, length: 40 }));
    expect(result!.rows.kept + result!.rows.dropped).toBe(24);
    expect(result!.rows.tooLong).toBeGreaterThan(0);
  });

  test("moved elsewhere goes on from the start that lies beside it", async () => {
    // Bug: copying that start onto itself ended the run.
    const job = run.job("moved", lora);
    await train(job, { stopAfter: 4 });
    const moved = join(folder, "moved-away");
    cpSync(job.out, moved, { recursive: true });
    await train({ ...job, out: moved, init: join(moved, "start"), resume: true });
    expect(adapterOf({ ...job, out: moved }).equals(adapterOf(run.job("kept", lora)))).toBe(true);
  });
});
