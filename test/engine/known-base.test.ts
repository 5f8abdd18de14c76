// What is known of the base is not asked again, by the real jobs on a tiny model: probes and retention while training.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runProbe } from "../../main/engine/jobs/probe.ts";
import type { JobEvent, ProbeAnswer, ProgressEvent } from "../../main/engine/events.ts";
import type { ProbeJob } from "../../main/engine/answer-jobs.ts";
import type { ProbeResult } from "../../main/engine/job-results.ts";
import type { RetentionBase } from "../../main/engine/train-jobs.ts";
import { tinyRun, train, type TinyRun } from "../support/tiny-run.ts";

let folder: string;
let run: TinyRun;
let adapters: string[];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "nullspace-known-"));
  run = tinyRun(folder);
  const start = await run.start("lora");
  adapters = [];
  for (const seed of [1, 2]) adapters.push((await train(run.job(`run-${seed}`, start, { seed, learningRate: 3e-2 }))).result!.adapter);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Probed {
  answers: ProbeAnswer[];
  asked: ProbeAnswer[];
  progress: ProgressEvent[];
  result: ProbeResult;
}

async function probe(changes: Partial<ProbeJob> = {}): Promise<Probed> {
  const [answers, asked, progress]: [ProbeAnswer[], ProbeAnswer[], ProgressEvent[]] = [[], [], []];
  const job: ProbeJob = { kind: "probe", model: run.model, adapter: adapters[0]!, questions: run.questions, task: "nq_open", shots: 2, limit: 20, batch: 4, maxNewTokens: 4, style: "knowledge", template: "chat", ...changes };
  const result = await runProbe(job, (event) => {
    if (event.type === "progress") progress.push(event);
    if (event.type !== "answer") return;
    const { type: _, isKnown, ...answer } = event;
    answers.push(answer);
    if (!isKnown) asked.push(answer);
  }, new AbortController().signal);
  return { answers, asked, progress, result };
}

const ofBase = ({ answers }: Probed): ProbeAnswer[] => answers.filter(({ subject }) => subject === "base");
const bySubject = (answers: readonly ProbeAnswer[]) => answers.toSorted((a, b) => a.subject.localeCompare(b.subject) || a.index - b.index);
/** Another batch rounds otherwise: 1e-4 nats is far above float32's last bits of these sums, far below any use. */
const near = (answer: ProbeAnswer) => ({ ...answer, logLikelihoodNats: expect.closeTo(answer.logLikelihoodNats, 4) as number });

test("only the tuned model is asked, and all answers equal those of a probe that asks both", async () => {
  const first = await probe();
  expect(first.asked).toHaveLength(40);
  const fresh = await probe({ adapter: adapters[1]! });
  const second = await probe({ adapter: adapters[1]!, known: ofBase(first) });
  expect(second.asked.map(({ subject }) => subject)).toEqual(Array.from({ length: 20 }, () => "tuned"));
  expect(bySubject(second.answers)).toEqual(bySubject(fresh.answers).map(near));
  expect(second.result).toMatchObject({ lost: fresh.result.lost, gained: fresh.result.gained, base: { exactMatch: fresh.result.base.exactMatch, questions: 20 } });
  expect(second.progress.at(-1)).toMatchObject({ done: 20, total: 20, unit: "questions" });
  expect(bySubject(second.answers).filter(({ subject }) => subject === "tuned")).not.toEqual(bySubject(first.answers).filter(({ subject }) => subject === "tuned"));
});

test("a base alone that is known asks nothing", async () => {
  const { asked, result } = await probe({ adapter: null, known: ofBase(await probe()) });
  expect(asked).toEqual([]);
  expect(result.base.questions).toBe(20);
});

test("answers to other prompts or with other accepted answers are not taken, whatever the key said", async () => {
  const known = ofBase(await probe());
  known[3] = { ...known[3]!, prompt: `${known[3]!.prompt} ` };
  known[5] = { ...known[5]!, accepted: ["another"] };
  const { asked } = await probe({ adapter: null, limit: 22, known });
  expect(asked.map(({ index }) => index).sort((a, b) => a - b)).toEqual([known[3].index, known[5].index, 22, 23].sort((a, b) => a - b));
});

test("retention is measured against what another run measured, to the same figures", async () => {
  const retention = { questions: run.questions, shots: 2, limit: 10, everySteps: 4, floor: null };
  const baseOf = (events: readonly JobEvent[]) => events.find((event) => event.type === "retention-base") as Extract<JobEvent, { type: "retention-base" }>;
  const points = (events: readonly JobEvent[]) => events.flatMap((event) => (event.type === "retention" ? [{ ...event.point, elapsedMs: 0 }] : []));
  const [lora, nullStart] = [await run.start("lora"), await run.start("lora-null-v1")];
  const first = await train(run.job("retained", lora, { retention }));
  const { base, isKnown } = baseOf(first.events);
  expect(isKnown).toBe(false);
  const again = await train(run.job("retained-again", lora, { retention, knownBases: [base] }));
  expect(baseOf(again.events)).toEqual({ type: "retention-base", base, isKnown: true });
  expect(points(again.events)).toEqual(points(first.events));

  // A start adds nothing to the base, so what one method measured holds for another.
  const other = await train(run.job("retained-null", nullStart, { retention }));
  const worst = Math.max(...baseOf(other.events).base.likelihoods.map(({ nats }, i) => Math.abs(nats - base.likelihoods[i]!.nats)));
  console.log(`base by two starts: ${worst.toExponential(1)} nats a token apart`);
  expect(worst).toBeLessThan(1e-5); // float32 sums of y = W x + B A x − B A x

  // By the other program, or of fewer questions, it is measured anew.
  const unlike: RetentionBase[] = [{ ...base, by: "gradients" }, { ...base, likelihoods: base.likelihoods.slice(1) }];
  expect(baseOf((await train(run.job("retained-unlike", lora, { retention, knownBases: unlike }))).events).isKnown).toBe(false);
});
