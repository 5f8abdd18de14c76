// The adapter that training writes, read back and answered with: the same function as in training.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readPeftAdapter } from "../../native-models/adapter/peft.ts";
import { adapterFeeds } from "../../native-models/answering/adapter-feeds.ts";
import { createAnswerer, type Answerer } from "../../native-models/answering/answerer.ts";
import { openCheckpoint } from "../../native-models/checkpoint/checkpoint.ts";
import { openSafetensors } from "../../native-models/checkpoint/safetensors.ts";
import type { Checkpoint } from "../../native-models/checkpoint/types.ts";
import type { Method } from "../../native-models/nullspace/types.ts";
import { buildTrainProgram, type TrainRow } from "../../native-models/programs/train-program.ts";
import { methods as startMethods } from "../../native-models/starts/methods.ts";
import { readStart, type StoredStart } from "../../native-models/starts/start-folder.ts";
import { exportAdapter } from "../../native-models/training/export-adapter.ts";
import { createState, type TrainState } from "../../native-models/training/state.ts";
import { createTrainer } from "../../native-models/training/trainer.ts";
import { tinyRun, train, type TinyRun } from "../support/tiny-run.ts";
import { plainAdamW, tinyRow } from "../support/tiny-training.ts";

const tolerance = 1e-4; // nats a token; float32 sums of A, A0, B and B0 in another order: about 1e-6
const row = tinyRow(20, 11, 3); // prompt of 9, answer of 11

let folder: string;
let run: TinyRun;
let checkpoint: Checkpoint;
let answerer: Answerer;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "nullspace-exported-"));
  run = tinyRun(folder);
  checkpoint = openCheckpoint(run.model);
  answerer = await createAnswerer({ checkpoint, maxLength: 64, session: { threads: 1 } });
});
afterAll(async () => {
  await answerer.release();
  rmSync(folder, { recursive: true, force: true });
});

/** Mean loss of the row's answer by the answering program, base and tuned in one batch, and how far their logits lie apart. */
async function answeredLoss(adapterFolder: string): Promise<{ base: number; tuned: number; logits: number }> {
  const adapters = adapterFeeds(checkpoint.config, [readPeftAdapter(adapterFolder, checkpoint)]);
  const ids = Array.from(row.ids);
  const begun = await answerer.begin([null, 0].map((adapter) => ({ ids: ids.slice(0, 9), adapter })), { adapters });
  const [base, tuned] = (await begun.score([ids.slice(9), ids.slice(9)])).map(({ logLikelihood }) => -logLikelihood / 11);
  const seen: Float32Array[] = [];
  await begun.generate({ maxNewTokens: 1, eosIds: [], choose: (at, logits) => ((seen[at] = logits.slice()), 0) });
  return { base, tuned, logits: Math.max(...seen[0].map((value, id) => Math.abs(value - seen[1][id]))) };
}

interface Trained {
  state: TrainState;
  start: (name: string) => Float32Array;
  loss(row: TrainRow): Promise<number>;
}

/** The training program at given parameters; null: at the start. */
async function trainedAt(stored: StoredStart, parameters: Float32Array | null): Promise<Trained> {
  const { rank, kind } = stored.info;
  const compiled = buildTrainProgram(checkpoint, { rank, kind, maxLength: 64 });
  const start = (name: string): Float32Array => {
    const dot = name.lastIndexOf(".");
    return stored.read(name.slice(0, dot))[name[dot + 1] === "A" ? "a" : "b"];
  };
  const state = createState(compiled.trainable, start);
  if (parameters) state.parameters.set(parameters);
  return {
    state,
    start,
    async loss(one) {
      const trainer = await createTrainer({ checkpoint, compiled, fixed: start, state: { ...state, parameters: state.parameters.slice() }, optimizer: plainAdamW, session: { threads: 1 } });
      const { lossNats } = await trainer.step([[one]], 0);
      await trainer.release();
      return lossNats;
    },
  };
}

const methods: { method: Method; rank: number }[] = [
  { method: "lora", rank: 4 },
  { method: "lora-null-v1", rank: 8 },
  { method: "lora-null-v2", rank: 4 },
];

describe.each(methods)("$method", ({ method, rank }) => {
  test(`the exported adapter (rank ${rank}) has the loss that training sees, far from the base's`, async () => {
    const job = run.job(`trained-${method}`, await run.start(method), { steps: 4, checkpointEverySteps: 4, learningRate: 2e-2 });
    const { result } = await train(job);
    const parameters = openSafetensors(join(job.out, "checkpoints", "step-00000004.safetensors")).f32("parameters");
    const expected = await (await trainedAt(readStart(join(job.out, "start")), parameters)).loss(row);
    const { base, tuned } = await answeredLoss(result!.adapter);
    console.log(`${method}: loss in training ${expected.toFixed(5)}, answering ${Math.abs(tuned - expected).toExponential(1)} apart, base ${base.toFixed(5)}`);
    expect(readPeftAdapter(result!.adapter, checkpoint).ranks).toEqual([rank]);
    expect(Math.abs(tuned - expected)).toBeLessThan(tolerance);
    expect(Math.abs(tuned - base), "training changed the model").toBeGreaterThan(100 * tolerance);
  });
});

test.each(Object.keys(startMethods) as Method[])("%s: the start alone changes nothing, in training and exported", async (method) => {
  const stored = readStart(await run.start(method));
  const { state, start, loss } = await trainedAt(stored, null);
  const place = join(folder, `start-alone-${method}`);
  exportAdapter({ folder: place, config: checkpoint.config, baseModelName: "tiny", rank: stored.info.rank, kind: stored.info.kind, state, start, cardText: "" });
  const { base, tuned, logits } = await answeredLoss(place);
  const inTraining = await loss(row);
  console.log(`${method}: the start moves logits by at most ${logits.toExponential(1)}, the loss in training by ${Math.abs(inTraining - base).toExponential(1)}`);
  expect(logits).toBeLessThan(tolerance);
  expect(Math.abs(tuned - base)).toBeLessThan(tolerance);
  expect(Math.abs(inTraining - base)).toBeLessThan(tolerance);
});
