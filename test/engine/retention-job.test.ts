// The probe that rides along in training, on a tiny model: what it measures, that it disturbs nothing, the floor, going on.

import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runEstimate } from "../../main/engine/jobs/estimate.ts";
import { runProbe } from "../../main/engine/jobs/probe.ts";
import type { JobEvent, RetentionPoint } from "../../main/engine/events.ts";
import type { RetentionSettings, TrainJob, ValidationSettings } from "../../main/engine/train-jobs.ts";
import { openSafetensors } from "../../native-models/checkpoint/safetensors.ts";
import { UserError } from "../../native-models/errors.ts";
import { planOf } from "../support/plan-of.ts";
import { pointsOf, tinyRun, train, type TinyRun } from "../support/tiny-run.ts";

let folder: string;
let run: TinyRun;
let lora: string;
let nullStart: string;
let asked: RetentionSettings;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "nullspace-retention-"));
  run = tinyRun(folder);
  lora = await run.start("lora");
  nullStart = await run.start("lora-null-v1");
  asked = { questions: run.questions, shots: 2, limit: 10, everySteps: 2, floor: null };
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const held: ValidationSettings = { from: { rows: 6 }, everySteps: 2, patience: null, leastImprovementNats: 0, keeps: "best" };
const measured = (events: readonly JobEvent[]): Omit<RetentionPoint, "elapsedMs">[] =>
  events.flatMap((event) => (event.type === "retention" ? [event.point] : [])).map(({ elapsedMs: _, ...point }) => point);
const adapterOf = ({ out }: TrainJob): Buffer => readFileSync(join(out, "adapter", "adapter_model.safetensors"));
const checkpointsOf = ({ out }: TrainJob): string[] => readdirSync(join(out, "checkpoints")).sort();
const parametersOf = ({ out }: TrainJob, name: string): Float32Array => openSafetensors(join(out, "checkpoints", name)).f32("parameters");
const named = (kind: string, step: number): string => `${kind}-${String(step).padStart(8, "0")}.safetensors`;

async function refusal(job: TrainJob): Promise<UserError> {
  const error = await train(job).then(() => null, (reason: unknown) => reason);
  expect(error).toBeInstanceOf(UserError);
  return error as UserError;
}

/** Learns one answer by heart that is none of those asked for: their likelihood falls below that of the base. */
let forgetting: Partial<TrainJob>;
beforeAll(() => {
  const data = join(folder, "one-row.jsonl");
  writeFileSync(data, '{"query":"what is in time","response":"zzzz"}\n');
  forgetting = { data, learningRate: 4e-2, warmupRatio: 0, steps: 40, checkpointEverySteps: 4, retention: { ...asked, floor } };
});
const floor = 0.8;

describe("retention while training", () => {
  test("is measured before the first step, every so many steps and after the last one; the base keeps all of it", async () => {
    for (const start of [lora, nullStart]) {
      const { events, result } = await train(run.job(`every-${start === lora}`, start, { retention: { ...asked, everySteps: 3 } }));
      const points = measured(events);
      expect(points.map(({ step }) => step)).toEqual([0, 3, 6, 8]);
      expect(points[0]).toMatchObject({ retention: 1, low: 1, high: 1, questions: 10, isAbove: true });
      expect(result!.retention).toMatchObject({ questions: 10, adapterStep: 8, hasFallenBelow: false, last: { step: 8, retention: points.at(-1)!.retention } });
      for (const { retention, baseNats, nats, low, high, exact } of points) {
        expect(retention).toBeCloseTo(Math.exp(nats - baseNats), 10);
        expect(low).toBeLessThanOrEqual(retention);
        expect(high).toBeGreaterThanOrEqual(retention);
        expect(exact!.base).toBe(points[0].exact!.base);
      }
      expect(points.at(-1)!.retention).not.toBe(1);
    }
  });

  test("says of base and tuned model what the probe says of them after training", async () => {
    const limit = 40;
    const job = run.job("as-the-probe", nullStart, { retention: { ...asked, limit }, learningRate: 2e-2 });
    const { events, result } = await train(job);
    const answers: JobEvent[] = [];
    const probe = { kind: "probe", model: run.model, adapter: result!.adapter, questions: run.questions, shots: 2, limit: null, batch: 8, maxNewTokens: 4, style: "knowledge", template: "chat" } as const;
    await runProbe(probe, (event) => answers.push(event), new AbortController().signal);
    const nats = (subject: "base" | "tuned"): number => {
      const list = answers.flatMap((event) => (event.type === "answer" && event.subject === subject ? [event.logLikelihoodNats] : []));
      expect(list).toHaveLength(38);
      return list.reduce((sum, value) => sum + value, 0) / list.length;
    };
    const last = measured(events).at(-1)!;
    console.log(`base ${last.baseNats.toFixed(5)} and ${nats("base").toFixed(5)}, tuned ${last.nats.toFixed(5)} and ${nats("tuned").toFixed(5)} nats a token, retention ${last.retention.toFixed(4)}`);
    expect(Math.abs(last.baseNats - nats("base"))).toBeLessThan(1e-4); // float32, other shapes of the same sums
    expect(Math.abs(last.nats - nats("tuned"))).toBeLessThan(1e-4);
  });

  test("disturbs nothing: points, checkpoints and adapter are those of a run without it, bit for bit", async () => {
    const plain = run.job("plain", nullStart, { validation: held });
    const { events } = await train(plain);
    for (const [name, changes] of [["beside", {}], ["gradients", { recomputed: "none" }]] as const) {
      const riding = run.job(name, nullStart, { validation: held, retention: { ...asked, everySteps: 1 }, ...changes });
      const watched = await train(riding);
      expect(pointsOf(watched.events)).toEqual(pointsOf(events));
      expect(adapterOf(riding).equals(adapterOf(plain))).toBe(true);
      expect(parametersOf(riding, named("step", 8))).toEqual(parametersOf(plain, named("step", 8)));
    }
  });

  test("stopping anywhere and going on gives the same curve, without gaps or doubles", async () => {
    const changes = { retention: { ...asked, everySteps: 3 }, steps: 10, checkpointEverySteps: 4 };
    const whole = run.job("whole", nullStart, changes);
    const { events } = await train(whole);
    for (const stopAfter of [1, 3, 6, 9]) {
      const parted = run.job(`parted-${stopAfter}`, nullStart, changes);
      const first = await train(parted, { stopAfter });
      const second = await train({ ...parted, resume: true });
      expect([...measured(first.events), ...measured(second.events)]).toEqual(measured(events));
      expect([...pointsOf(first.events), ...pointsOf(second.events)]).toEqual(pointsOf(events));
      expect(adapterOf(parted).equals(adapterOf(whole))).toBe(true);
    }
  });

  test("without room for a second copy of the weights it goes through the gradient program, to the same likelihoods", async () => {
    const { events } = await train(run.job("roomy", nullStart, { retention: asked, memoryBytes: null }));
    const { totalBytes, terms } = (events.find((event) => event.type === "memory") as Extract<JobEvent, { type: "memory" }>).estimate;
    expect(terms.validation).toBeGreaterThan(0);
    const job = run.job("narrow", nullStart, { retention: asked, memoryBytes: Math.floor(totalBytes) - 1 });
    const narrow = await train(job);
    expect(narrow.result!.memory.estimate).toMatchObject({ validatesBy: "gradients", terms: { validation: 0 } });
    expect(pointsOf(narrow.events)).toEqual(pointsOf(events));
    measured(narrow.events).forEach((point, i) => {
      const expected = measured(events)[i];
      expect(point.exact).toBeNull();
      expect(Math.abs(point.nats - expected.nats)).toBeLessThan(1e-4); // the same float32 sums, one row at a time
    });
  });

  test("which questions are asked follows from the seed", async () => {
    const base = async (name: string, seed: number) => measured((await train(run.job(name, lora, { steps: 1, seed, retention: asked }))).events)[0].baseNats;
    const first = await base("seed-0", 0);
    expect(await base("seed-0-again", 0)).toBe(first);
    expect(await base("seed-1", 1)).not.toBe(first);
  });

  test("a broken question file, one with too few questions, and rows the model has no room for are refused", async () => {
    expect((await refusal(run.job("few", lora, { retention: { ...asked, shots: 40 } }))).what).toContain("first 40 are the examples");
    expect((await refusal(run.job("long", lora, { retention: { ...asked, shots: 39 } }))).what).toMatch(/Question 40 has \d+ tokens/);
    expect((await refusal(run.job("missing", lora, { retention: { ...asked, questions: join(folder, "none.jsonl") } }))).where).toContain("none.jsonl");
  });

  test("a run goes on with the questions it began with only", async () => {
    const questions = join(folder, "changing.jsonl");
    appendFileSync(questions, readFileSync(run.questions, "utf8"));
    const job = run.job("changed", lora, { retention: { ...asked, questions } });
    await train(job, { stopAfter: 3 });
    appendFileSync(questions, '{"question":"another","answer":["one"]}\n');
    expect((await refusal({ ...job, resume: true })).what).toContain("retention");
  });
});

describe("the floor", () => {
  test("ends the run at the first measurement below it; the adapter is of the last state above it", async () => {
    const job = run.job("floored", lora, forgetting);
    const { events, result } = await train(job);
    const points = measured(events);
    console.log(points.map(({ step, retention }) => `${step}: ${retention.toFixed(3)}`).join(", "), `floor ${floor}`);
    const [below, above] = [points.at(-1)!.step, points.at(-2)!.step];
    expect(above).toBeGreaterThan(2);
    expect(below).toBeLessThan(40);
    expect(result).toMatchObject({ steps: below, retention: { adapterStep: above, floor, hasFallenBelow: true, last: { step: below } } });
    expect(points.map(({ isAbove }) => isAbove)).toEqual(points.map(({ retention }) => retention >= floor));
    expect(points.filter(({ isAbove }) => !isAbove)).toHaveLength(1);
    const [warning] = events.flatMap((event) => (event.type === "warning" ? [event.warning] : []));
    expect(warning.what).toContain(`Training stopped at step ${below}: retention fell to`);
    expect(warning.what).toContain(named("retained", above));
    expect(checkpointsOf(job)).toContain(named("retained", above));
    expect(readFileSync(join(job.out, "adapter", "README.md"), "utf8")).toContain(`this adapter is of step ${above}`);

    // It is the state of a run that ends there on the same schedule.
    const stopped = run.job("floor-stopped", lora, { ...forgetting, retention: asked });
    await train(stopped, { stopAfter: above });
    expect(parametersOf(job, named("retained", above))).toEqual(parametersOf(stopped, named("step", above)));

    // Also where it was stopped in between, and where the newest checkpoint is gone.
    for (const [name, stopAfter, isDead] of [["floor-parted", below - 1, false], ["floor-dead", above + 1, true]] as const) {
      const parted = run.job(name, lora, forgetting);
      await train(parted, { stopAfter });
      if (isDead) rmSync(join(parted.out, "checkpoints", named("step", stopAfter)));
      const second = await train({ ...parted, resume: true });
      expect(second.result).toMatchObject({ steps: below, retention: result!.retention! });
      expect(adapterOf(parted).equals(adapterOf(job))).toBe(true);
    }
  });

  test("beside validation the adapter is of the best step that is still above it", async () => {
    const file = join(folder, "other-rows.jsonl");
    writeFileSync(file, readFileSync(run.data, "utf8").split("\n").slice(0, 6).join("\n"));
    const { events, result } = await train(run.job("both", lora, { ...forgetting, validation: { ...held, from: { file }, everySteps: 1 } }));
    const above = measured(events).filter(({ isAbove }) => isAbove).at(-1)!.step;
    const { best } = result!.validation!;
    expect(result!.retention!.hasFallenBelow).toBe(true);
    expect(result!.retention!.adapterStep).toBe(best.step < above ? best.step : above);
    expect(result!.validation!.adapterStep).toBe(result!.retention!.adapterStep);
  });

  test("a run whose first measurement is below it fails and says what to change", async () => {
    const error = await refusal(run.job("at-once", lora, { ...forgetting, retention: { ...asked, everySteps: 6, floor } }));
    expect(error.what).toContain("first time that it was measured");
    expect(error.fix).toContain("every 6 steps");
  });
});

test("the estimate counts the program and the rows of retention, as the run does", async () => {
  const changes = { batch: 3, accumulate: 2, retention: asked } as const;
  const { result } = await train(run.job("estimated", lora, changes));
  const job = run.job("unused", lora, changes);
  const { lengths, trained, shared } = await planOf(job);
  const { memory, retentionTokens } = await runEstimate({ ...job, kind: "estimate", rank: 4, method: "lora", lengths, trained, shared }, () => {}, new AbortController().signal);
  expect(memory.totalBytes).toBe(result!.memory.estimate.totalBytes);
  expect(memory).toMatchObject({ validatesBy: "forward" });
  expect(retentionTokens).toBeGreaterThan(100);
  const without = await runEstimate({ ...job, retention: null, kind: "estimate", rank: 4, method: "lora", lengths, trained, shared }, () => {}, new AbortController().signal);
  expect(without.memory.totalBytes).toBeLessThan(memory.totalBytes);
  expect(without.retentionTokens).toBeNull();
});
