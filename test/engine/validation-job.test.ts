// The training job with validation on a tiny model: held-out rows, the best state, patience, going on; broken losses; memory.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runEstimate } from "../../main/engine/jobs/estimate.ts";
import type { JobEvent, ValidationPoint } from "../../main/engine/events.ts";
import type { TrainJob, ValidationSettings } from "../../main/engine/train-jobs.ts";
import { openSafetensors } from "../../native-models/checkpoint/safetensors.ts";
import { UserError } from "../../native-models/errors.ts";
import { memoryTerms } from "../../native-models/training/memory-terms.ts";
import { planOf } from "../support/plan-of.ts";
import { pointsOf, tinyRun, train, type TinyRun } from "../support/tiny-run.ts";

let folder: string;
let run: TinyRun;
let lora: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "nullspace-validation-"));
  run = tinyRun(folder);
  lora = await run.start("lora");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const held: ValidationSettings = { from: { rows: 6 }, everySteps: 2, patience: null, leastImprovementNats: 0, keeps: "best" };
const evaluationsOf = (events: readonly JobEvent[]): Omit<ValidationPoint, "elapsedMs">[] =>
  events.flatMap((event) => (event.type === "validation" ? [event.point] : [])).map(({ elapsedMs: _, ...point }) => point);
const adapterOf = ({ out }: TrainJob): Buffer => readFileSync(join(out, "adapter", "adapter_model.safetensors"));
const checkpointsOf = ({ out }: TrainJob): string[] => readdirSync(join(out, "checkpoints")).sort();
const parametersOf = ({ out }: TrainJob, name: string): Float32Array => openSafetensors(join(out, "checkpoints", name)).f32("parameters");

async function refusal(job: TrainJob): Promise<UserError> {
  const error = await train(job).then(() => null, (reason: unknown) => reason);
  expect(error).toBeInstanceOf(UserError);
  return error as UserError;
}

/** Learns one answer by heart while the validation rows say other things: their loss falls, then rises. */
let overfitting: Partial<TrainJob>;
beforeAll(() => {
  const [data, file] = [join(folder, "one-row.jsonl"), join(folder, "other-rows.jsonl")];
  writeFileSync(data, '{"query":"what is in time","response":"zzzz"}\n');
  writeFileSync(file, readFileSync(run.data, "utf8").split("\n").slice(0, 6).join("\n"));
  overfitting = { data, learningRate: 4e-2, steps: 24, warmupRatio: 0, checkpointEverySteps: 4, validation: { ...held, from: { file } } };
});

describe("validation", () => {
  test("is evaluated every so many steps and after the last one", async () => {
    const { events, result } = await train(run.job("every", lora, { validation: { ...held, everySteps: 3 } }));
    expect(evaluationsOf(events).map(({ step }) => step)).toEqual([3, 6, 8]);
    expect(result!.validation).toMatchObject({ rows: 6, hasStoppedEarly: false, last: { step: 8 } });
  });

  test("stopping anywhere and going on equals never stopping, bit for bit, with its evaluations and best state", async () => {
    const changes = { ...overfitting, steps: 12 };
    const whole = run.job("whole", lora, changes);
    const { events } = await train(whole);
    const evaluations = evaluationsOf(events);
    expect(evaluations).toHaveLength(6);
    for (const stopAfter of [3, 6, 7]) {
      const parted = run.job(`parted-${stopAfter}`, lora, changes);
      const first = await train(parted, { stopAfter });
      const second = await train({ ...parted, resume: true });
      expect([...pointsOf(first.events), ...pointsOf(second.events)]).toEqual(pointsOf(events));
      expect([...evaluationsOf(first.events), ...evaluationsOf(second.events)]).toEqual(evaluations);
      expect(checkpointsOf(parted)).toEqual(checkpointsOf(whole));
      expect(adapterOf(parted).equals(adapterOf(whole))).toBe(true);
    }
  });

  test("a dead process goes on from an older checkpoint and comes to the same best state", async () => {
    const changes = { ...overfitting, steps: 12 };
    const whole = run.job("alive", lora, changes);
    await train(whole);
    const dead = run.job("dead", lora, changes);
    await train(dead, { stopAfter: 7 });
    rmSync(join(dead.out, "checkpoints", "step-00000007.safetensors"));
    const { events } = await train({ ...dead, resume: true });
    expect(events.find((event) => event.type === "resumed")).toMatchObject({ step: 4 });
    expect(checkpointsOf(dead)).toEqual(checkpointsOf(whole));
    expect(adapterOf(dead).equals(adapterOf(whole))).toBe(true);
  });

  test("the adapter is of the best step, and the last state is kept beside it", async () => {
    const job = run.job("best", lora, overfitting);
    const { events, result } = await train(job);
    const evaluations = evaluationsOf(events);
    const lowest = evaluations.reduce((best, point) => (point.lossNats < best.lossNats ? point : best));
    console.log(`lowest ${lowest.lossNats.toFixed(3)} at step ${lowest.step}, last ${evaluations.at(-1)!.lossNats.toFixed(3)}`);
    expect(lowest.step).toBeLessThan(24);
    expect(result!.validation).toMatchObject({ best: { step: lowest.step, lossNats: lowest.lossNats }, adapterStep: lowest.step });
    expect(evaluations.filter(({ isBest }) => isBest).at(-1)).toEqual(lowest);
    expect(checkpointsOf(job)).toEqual([`best-${String(lowest.step).padStart(8, "0")}.safetensors`, "step-00000020.safetensors", "step-00000024.safetensors"]);
    expect(readFileSync(join(job.out, "adapter", "README.md"), "utf8")).toContain(`this adapter is of step ${lowest.step}`);

    const lastJob = run.job("last", lora, { ...overfitting, validation: { ...overfitting.validation!, keeps: "last" } });
    expect((await train(lastJob)).result!.validation).toMatchObject({ adapterStep: 24 });
    expect(adapterOf(lastJob).equals(adapterOf(job))).toBe(false);
    expect(parametersOf(lastJob, "step-00000024.safetensors")).toEqual(parametersOf(job, "step-00000024.safetensors"));

    // The best state is that of a run which ends there on the same schedule.
    const stopped = run.job("stopped", lora, overfitting);
    await train(stopped, { stopAfter: lowest.step });
    const at = `${String(lowest.step).padStart(8, "0")}.safetensors`;
    expect(parametersOf(stopped, `step-${at}`)).toEqual(parametersOf(job, `best-${at}`));
  });

  test("patience ends the run, also one that was stopped in between", async () => {
    const validation = { ...overfitting.validation!, patience: 2 };
    const { events, result } = await train(run.job("patient", lora, { ...overfitting, validation }));
    const evaluations = evaluationsOf(events);
    const { best } = result!.validation!;
    expect(result!.validation!.hasStoppedEarly).toBe(true);
    expect(result!.steps).toBe(best.step + 2 * validation.everySteps);
    expect(evaluations.at(-1)!.step).toBe(result!.steps);

    const parted = run.job("patient-parted", lora, { ...overfitting, validation });
    await train(parted, { stopAfter: best.step + 3 });
    expect((await train({ ...parted, resume: true })).result).toMatchObject({ steps: result!.steps, validation: result!.validation });
  });

  test("a fall that is too small does not reset the patience", async () => {
    const { result } = await train(run.job("demanding", lora, { validation: { ...held, everySteps: 1, patience: 2, leastImprovementNats: 50 } }));
    expect(result).toMatchObject({ steps: 3, validation: { hasStoppedEarly: true } });
  });

  test("which rows are held out follows from the seed", async () => {
    const split = async (name: string, changes: Partial<TrainJob>) => evaluationsOf((await train(run.job(name, lora, { steps: 2, validation: held, ...changes }))).events)[0].lossNats;
    const first = await split("seed-0", { seed: 0 });
    expect(await split("seed-0-again", { seed: 0 })).toBe(first);
    expect(await split("seed-1", { seed: 1 })).not.toBe(first);
  });

  test("a file of its own is validated on, by the same figures as the rows held out", async () => {
    const rows = readFileSync(run.data, "utf8").split("\n").slice(0, 5).join("\n");
    const file = join(folder, "validation.jsonl");
    writeFileSync(file, `${rows}\n`);
    const job = run.job("file", lora, { validation: { ...held, from: { file } } });
    const { result } = await train(job);
    expect(result).toMatchObject({ rows: { kept: 24 }, validation: { rows: 5 } });
    writeFileSync(file, `${rows}\n{"query":"more","response":"rows"}\n`);
    expect((await refusal({ ...job, resume: true })).what).toContain("validation");
  });

  test.each([{ rows: 24 }, { rows: 100 }, { share: 0.99 }])("a split of %o that leaves nothing to train on is refused", async (from) => {
    expect((await refusal(run.job(`all-${JSON.stringify(from)}`, lora, { validation: { ...held, from } }))).what).toContain("24 rows");
  });

  test("a share is rounded, at least one row", async () => {
    for (const [share, rows] of [[0.25, 6], [0.001, 1]] as const) {
      expect((await train(run.job(`share-${share}`, lora, { steps: 1, validation: { ...held, from: { share } } }))).result!.validation!.rows).toBe(rows);
    }
  });
});

describe("memory", () => {
  const tight = async (name: string, changes: Partial<TrainJob>) => (await train(run.job(name, lora, { steps: 1, ...changes }))).events.find((event) => event.type === "memory")!;

  test("the plan stands before the first step and beside the measured peak at the end", async () => {
    const { events, result } = await train(run.job("measured", lora));
    const memory = events.flatMap((event) => (event.type === "memory" ? [event] : []));
    expect(memory.map(({ measuredBytes }) => measuredBytes === null)).toEqual([true, false]);
    expect(events.findIndex(({ type }) => type === "memory")).toBeLessThan(events.findIndex(({ type }) => type === "point"));
    const { estimate, measuredBytes } = result!.memory;
    expect(measuredBytes).toBeGreaterThan(50e6);
    expect(memoryTerms.reduce((sum, term) => sum + estimate.terms[term], 0)).toBeCloseTo(estimate.totalBytes);
    expect(estimate).toMatchObject({ recomputed: "cheap", validatesBy: null, fits: true, proposals: [], microBatch: { rows: 2 } });
  });

  test("too little memory for one way takes the next: another program for validation goes first, then the held values", async () => {
    const roomy = await tight("roomy", { validation: held });
    expect(roomy.estimate).toMatchObject({ recomputed: "cheap", validatesBy: "forward" });
    const without = await tight("without", { validation: held, memoryBytes: Math.floor(roomy.estimate.totalBytes) - 1 });
    expect(without.estimate).toMatchObject({ recomputed: "cheap", validatesBy: "gradients" });
    const least = await tight("least", { validation: held, recomputed: "layer" });
    const layer = await tight("layer", { memoryBytes: Math.ceil(least.estimate.totalBytes - least.estimate.terms.validation) });
    expect(layer.estimate.recomputed).not.toBe("none");
  });

  test("a level that is asked for is taken, and every level trains to the same bits", async () => {
    const expected = run.job("level-cheap", lora);
    await train(expected);
    for (const recomputed of ["none", "scores", "layer"] as const) {
      const job = run.job(`level-${recomputed}`, lora, { recomputed });
      expect((await train(job)).result!.memory.estimate.recomputed).toBe(recomputed);
      expect(adapterOf(job).equals(adapterOf(expected)), recomputed).toBe(true);
    }
  });

  test("validating by the gradient program gives the loss of the loss program, and resumes by what it began with", async () => {
    const { events } = await train(run.job("by-forward", lora, { validation: held }));
    const bytes = (events.find((event) => event.type === "memory") as Extract<JobEvent, { type: "memory" }>).estimate.totalBytes;
    const job = run.job("by-gradients", lora, { validation: held, memoryBytes: Math.floor(bytes) - 1 });
    const first = await train(job, { stopAfter: 5 });
    const second = await train({ ...job, memoryBytes: null, resume: true });
    expect(second.result!.memory.estimate.validatesBy).toBe("gradients");
    const evaluations = [...evaluationsOf(first.events), ...evaluationsOf(second.events)];
    evaluationsOf(events).forEach(({ step, lossNats }, i) => {
      expect(evaluations[i].step).toBe(step);
      expect(Math.abs(evaluations[i].lossNats / lossNats - 1)).toBeLessThan(1e-5); // the same float32 sums in another order
    });
  });

  test("where nothing fits the run is refused with its terms and smaller settings, and nothing is written", async () => {
    const { estimate } = await tight("enough", { batch: 8, accumulate: 1 });
    const job = run.job("too-much", lora, { batch: 8, accumulate: 1, recomputed: "none", memoryBytes: Math.floor(estimate.totalBytes * 0.999) });
    const error = await refusal(job);
    expect(error.what).toMatch(/would take 0\.\d+ GB .* weights 0\.\d+, .*process/);
    expect(error.fix).toMatch(/batch 4 × accumulate 2/);
    expect(() => readdirSync(job.out)).toThrow();
    const hopeless = await refusal(run.job("hopeless", lora, { memoryBytes: 1000 }));
    expect(hopeless.fix).toContain("lower rank");
  });

  test("the estimate of a run that has not been started is the one it comes to", async () => {
    const changes = { batch: 3, accumulate: 2, validation: held } as const;
    const { result } = await train(run.job("estimated", lora, changes));
    const { estimate } = result!.memory;
    // What the plan of the rows says, as the app has it.
    const job = run.job("unused", lora, changes);
    const { lengths, trained, shared } = await planOf(job);
    const { memory } = await runEstimate({ ...job, kind: "estimate", rank: 4, method: "lora", lengths, trained, shared }, () => {}, new AbortController().signal);
    expect(memory.totalBytes).toBe(estimate.totalBytes);
    expect(memory.microBatch).toEqual(estimate.microBatch);
  });
});

describe("a loss that explodes", () => {
  test("stops the run with the step, its row and the last good checkpoint; what came after is not kept", async () => {
    // Thirty-nine rows that say the same, learnt by heart, and one whose loss is then far above a uniform guess.
    const data = join(folder, "one-odd-row.jsonl");
    const row = (response: string): string => JSON.stringify({ query: "what is in time", response });
    writeFileSync(data, Array.from({ length: 40 }, (_, i) => `${row(i === 13 ? "QXQXQXQX" : "zzzz")}\n`).join(""));
    const job = run.job("exploded", lora, { data, batch: 1, accumulate: 1, learningRate: 3e-2, warmupRatio: 0, steps: 40, seed: 0 });
    const error = await refusal(job);
    console.log(error.what);
    expect(error.what).toMatch(/^Training diverged at step \d+: the loss .* more than 3 times .* Rows of that step: 14\.$/);
    const step = Number(/step (\d+)/.exec(error.what)![1]);
    const kept = checkpointsOf(job).map((name) => Number(/\d+/.exec(name)![0]));
    expect(Math.max(...kept)).toBeLessThan(step);
    expect(error.fix).toContain(checkpointsOf(job).at(-1)!);
  });
});
