// How rows stand together in micro-batches: no way of parting them changes a step, and no row sees another.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Checkpoint } from "../../native-models/checkpoint/types.ts";
import { buildTrainProgram, gradientName, trainFeeds, type TrainRow } from "../../native-models/programs/train-program.ts";
import { f32, openSession, type Session, type TensorData } from "../../native-models/runtime/session.ts";
import { relativeDistance, tinyAdapters, tinyCheckpoint, tinyRow, tinyTrainer } from "../support/tiny-training.ts";

const [rank, kind] = [3, "both"] as const;
const tolerance = 1e-6; // the same float32 sums in another order: 24 bits over some forty tokens

let folder: string;
let checkpoint: Checkpoint;
let session: Session;
let adapters: Record<string, TensorData>;
let gradientNames: string[];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "nullspace-micro-batches-"));
  checkpoint = tinyCheckpoint(join(folder, "model"));
  const { program, trainable, fixed } = buildTrainProgram(checkpoint, { rank, kind, maxLength: 64 });
  const tensors = tinyAdapters(checkpoint, rank, 5);
  adapters = Object.fromEntries([...trainable, ...fixed].map(({ name, shape }) => [name, f32(tensors.get(name)!, ...shape)]));
  gradientNames = trainable.map(({ name }) => gradientName(name));
  session = await openSession(program, { weightsFolder: checkpoint.weights.folder, threads: 1 });
});
afterAll(async () => {
  await session.release();
  rmSync(folder, { recursive: true, force: true });
});

/** Loss and all gradients, one after the other, of one micro-batch. */
async function run(rows: readonly TrainRow[], windowTargets = 20): Promise<Float32Array> {
  const { feeds } = trainFeeds(rows, windowTargets, checkpoint.config);
  const outputs = await session.run({ ...feeds, ...adapters });
  return Float32Array.from(["loss", ...gradientNames].flatMap((name) => Array.from(outputs[name].data as Float32Array)));
}

async function step(microBatches: readonly (readonly TrainRow[])[]): Promise<{ lossNats: number; gradNorm: number; trainedTokens: number; gradients: Float32Array }> {
  const { trainer } = await tinyTrainer({ checkpoint, kind, rank, tensors: tinyAdapters(checkpoint, rank, 5) });
  const { lossNats, gradNorm, trainedTokens } = await trainer.step(microBatches, 1e-3);
  await trainer.release();
  return { lossNats, gradNorm, trainedTokens, gradients: trainer.gradients };
}

function close(name: string, actual: Float32Array, expected: Float32Array): void {
  const worst = relativeDistance(actual, expected);
  console.log(`${name}: ${worst.toExponential(1)} apart`);
  expect(worst).toBeLessThan(tolerance);
}

const untrained = (row: TrainRow): TrainRow => ({ ids: row.ids, isTrained: new Uint8Array(row.ids.length) });
const [short, row, long, longest] = [tinyRow(4, 1, 1), tinyRow(9, 5, 2), tinyRow(21, 3, 3), tinyRow(33, 11, 4)];

describe("accumulation", () => {
  test.each([
    { name: "one row each", parts: [[short], [row], [long], [longest]] },
    { name: "unequal micro-batches", parts: [[longest], [short, long], [row]] },
  ])("$name: micro-batches of unequal lengths give the loss and gradients of the big batch", async ({ name, parts }) => {
    const [big, parted] = [await step([[short, row, long, longest]]), await step(parts)];
    expect(parted.trainedTokens).toBe(1 + 5 + 3 + 11);
    expect(Math.abs(parted.lossNats / big.lossNats - 1)).toBeLessThan(tolerance);
    expect(Math.abs(parted.gradNorm / big.gradNorm - 1)).toBeLessThan(tolerance);
    close(name, parted.gradients, big.gradients);
  });

  test("the loss is the mean over trained tokens, not over micro-batches", async () => {
    const [a, b, both] = [await step([[short]]), await step([[longest]]), await step([[short], [longest]])];
    expect(both.lossNats).toBeCloseTo((1 * a.lossNats + 11 * b.lossNats) / 12, 5);
  });

  test("rows without a trained token add nothing, alone in a micro-batch or beside others", async () => {
    const without = await step([[row], [long]]);
    const alone = await step([[row], [untrained(longest), untrained(short)], [long]]);
    expect(alone.gradients).toEqual(without.gradients);
    expect(alone.lossNats).toBe(without.lossNats);
    const beside = await step([[row, untrained(short)], [long]]);
    expect(beside.trainedTokens).toBe(without.trainedTokens);
    close("beside an untrained row", beside.gradients, without.gradients);
  });

  test("a step without a trained token is refused: it would divide by nothing", async () => {
    await expect(step([[untrained(row)]])).rejects.toThrow(/no trained token/);
  });
});

describe("rows that begin alike", () => {
  /** Rows of these lengths whose first `shared` tokens are the same, and none of those trained. */
  const alike = (shared: number, ...lengths: number[]): TrainRow[] =>
    lengths.map((length, i) => {
      const own = tinyRow(length, 4, 50 + i);
      return { ids: Array.from(own.ids, (id, t) => (t < shared ? (t * 7) % 200 : t === shared ? 201 + i : id)), isTrained: own.isTrained };
    });

  test.each([
    { name: "a short beginning", rows: alike(3, 12, 20, 33) },
    { name: "a beginning longer than a block", rows: alike(21, 26, 33, 27) },
    { name: "a beginning that ends where a block ends", rows: alike(16, 24, 40) },
    { name: "all but the answer", rows: alike(9, 13, 14, 13) },
    { name: "rows of one length", rows: alike(30, 34, 34) },
  ])("$name is computed once and changes nothing", async ({ rows }) => {
    const parts = await Promise.all(rows.map((one) => run([one])));
    const sum = parts[0].map((_, i) => parts.reduce((total, part) => total + part[i], 0));
    close("one by one", await run(rows), sum);
    const packed = trainFeeds(rows, 1, checkpoint.config).feeds.ids.data.length;
    expect(packed).toBeLessThan(rows.reduce((tokens, { ids }) => tokens + ids.length - 1, 0));
  });

  test("the same row twice shares what stands before its first target, no more", async () => {
    const twice = [row, { ...row }];
    close("twice", await run(twice), (await run([row])).map((value) => 2 * value));
    const first = Array.from(row.isTrained).indexOf(1);
    expect(trainFeeds(twice, 1, checkpoint.config).feeds.ids.data.length).toBe(2 * (row.ids.length - 1) - (first - 1));
  });

  test("rows that are all trained share nothing", () => {
    const all = { ids: row.ids, isTrained: new Uint8Array(row.ids.length).fill(1) };
    expect(trainFeeds([all, { ...all }], 1, checkpoint.config).feeds.ids.data.length).toBe(2 * (row.ids.length - 1));
  });
});

describe("rows of one micro-batch", () => {
  test.each([
    { name: "a shorter row", rows: [row, untrained(short)] },
    { name: "a longer row", rows: [row, untrained(longest)] },
    { name: "rows before and after it", rows: [untrained(long), row, untrained(longest)] },
    { name: "rows of its own length", rows: [untrained(tinyRow(9, 0, 8)), untrained(tinyRow(9, 0, 9)), row] },
  ])("a row beside $name has the loss and gradients it has alone", async ({ name, rows }) => {
    close(name, await run(rows), await run([row]));
  });

  test("what a neighbour says changes nothing, bit for bit", async () => {
    const beside = (seed: number): Promise<Float32Array> => run([untrained(tinyRow(33, 0, seed)), row, untrained(tinyRow(6, 0, seed + 1))]);
    expect(await beside(20)).toEqual(await beside(30));
  });

  test("the order of rows changes nothing", async () => {
    const expected = await run([short, row, long, longest]);
    for (const order of [[longest, long, row, short], [row, longest, short, long]]) close("another order", await run(order), expected);
  });

  test("packed together equals one by one", async () => {
    const parts = await Promise.all([short, row, long, longest].map((one) => run([one])));
    const sum = parts[0].map((_, i) => parts.reduce((total, part) => total + part[i], 0));
    close("packed", await run([short, row, long, longest]), sum);
  });

  test("a later token of a row never reaches the loss of an earlier one", async () => {
    const cut = { ids: Array.from(longest.ids).slice(0, 12), isTrained: Uint8Array.from({ length: 12 }, (_, t) => (t > 5 ? 1 : 0)) };
    const whole = { ids: longest.ids, isTrained: Uint8Array.from({ length: 33 }, (_, t) => (t > 5 && t < 12 ? 1 : 0)) };
    close("with a future", await run([whole]), await run([cut]));
  });
});
