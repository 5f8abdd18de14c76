// Rounded weights: what is stored, what the runtime makes of it, and answers with them.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { adapterFeeds } from "../../native-models/answering/adapter-feeds.ts";
import { createAnswerer, type Answerer, type Question } from "../../native-models/answering/answerer.ts";
import type { Checkpoint } from "../../native-models/checkpoint/types.ts";
import { GraphBuilder } from "../../native-models/graph/builder.ts";
import { emitOnnx } from "../../native-models/graph/emit-onnx.ts";
import { blockSize, dequantiseRows, quantisedShapes, roundTo8, type Bits } from "../../native-models/quantised/blocks.ts";
import { readMeasured, writeMeasured } from "../../native-models/quantised/measured.ts";
import { quantisedFolder } from "../../native-models/quantised/places.ts";
import { bitsOf, prepareQuantised } from "../../native-models/quantised/quantised-model.ts";
import { f32, openSession } from "../../native-models/runtime/session.ts";
import { roundTo4Plainly } from "../support/plain-rounding.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { tinyPeftAdapter } from "../support/tiny-adapters.ts";
import { tinyCheckpoint, tinyRow } from "../support/tiny-training.ts";

let folder: string;
let checkpoint: Checkpoint;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "nullspace-quantised-"));
  checkpoint = tinyCheckpoint(join(folder, "model"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function randomMatrix(length: number, seed: number): Float32Array {
  const random = seededRandom(seed);
  return Float32Array.from({ length }, () => (random() - 0.5) * (random() < 0.05 ? 8 : 1)); // some outliers
}

const roundPlainly = (weights: Float32Array, size: number, bits: Bits) => (bits === 8 ? roundTo8(weights, size) : roundTo4Plainly(weights, size));
const text = async () => ({ ids: Int32Array.from(tinyRow(256, 0, 99).ids), samples: 8, length: 32 });

describe("a rounded matrix", () => {
  test.each([{ bits: 8 as const, levels: 254 }, { bits: 4 as const, levels: 15 }])("of $bits bits is within half a step of every weight", ({ bits, levels }) => {
    const [out, size] = [7, 3 * blockSize + 5]; // a last block that is not full
    const weights = randomMatrix(out * size, 1);
    const back = dequantiseRows(roundPlainly(weights, size, bits), size);
    for (let row = 0; row < out; row++) {
      for (let from = 0; from < size; from += blockSize) {
        const block = weights.subarray(row * size + from, row * size + Math.min(size, from + blockSize));
        const range = bits === 8 ? 2 * Math.max(...Array.from(block, Math.abs)) : Math.max(0, ...block) - Math.min(0, ...block);
        const step = range / levels;
        // The zero point of 4 bits is rounded too: half a step more at the ends.
        const bound = (bits === 8 ? 0.5 : 1) * step * 1.0001;
        block.forEach((value, i) => expect(Math.abs(value - back[row * size + from + i])).toBeLessThanOrEqual(bound));
      }
    }
  });

  test.each([8, 4] as const)("of %i bits multiplies as the weights it stands for, but for the rounding of x", async (bits: Bits) => {
    const [N, out, size] = [5, 24, 4 * blockSize];
    const rounded = roundPlainly(randomMatrix(out * size, 2), size, bits);
    const shapes = quantisedShapes(out, size, bits);
    const g = new GraphBuilder();
    const weight = {
      packed: g.constant(rounded.packed, shapes.packed),
      scales: g.constant(rounded.scales, shapes.scales),
      zeros: rounded.zeros && g.constant(rounded.zeros, shapes.zeros as [number, number]),
    };
    g.output("y", g.quantisedLinear(g.input("x", "float32", ["N", size]), weight, { bits, blockSize, in: size, out }));
    const session = await openSession(emitOnnx(g.graph()), { threads: 1, prepack: true });
    const x = randomMatrix(N * size, 3);
    const { y } = await session.run({ x: f32(x, N, size) });
    const w = dequantiseRows(rounded, size);
    let worst = 0;
    for (let n = 0; n < N; n++) {
      for (let o = 0; o < out; o++) {
        let [exact, bound] = [0, 0];
        for (let from = 0; from < size; from += blockSize) {
          let [largest, sum] = [0, 0];
          for (let i = from; i < from + blockSize; i++) {
            exact += x[n * size + i] * w[o * size + i];
            largest = Math.max(largest, Math.abs(x[n * size + i]));
            sum += Math.abs(w[o * size + i]);
          }
          bound += (largest / 127 / 2) * sum; // x is rounded to 127 steps a block: half a step off at most
        }
        const off = Math.abs((y.data[n * out + o] as number) - exact);
        worst = Math.max(worst, off / bound);
        expect(off).toBeLessThanOrEqual(bound * 1.001 + 1e-5);
      }
    }
    console.log(`${bits} bits: at worst ${worst.toFixed(2)} of the bound that rounding x sets`);
  });
});

describe("a rounded model", () => {
  const questions = (): Question[] =>
    Array.from({ length: 11 }, (_, i) => ({ ids: [...Array.from(tinyRow(20, 0, 1).ids), ...Array.from(tinyRow(1 + (i % 5), 0, 50 + i).ids)], adapter: i % 2 === 0 ? null : 0, maxNewTokens: 6, scored: [[i, i + 1]] }));
  const open = async (width: "int8" | "int4"): Promise<Answerer> =>
    createAnswerer({ checkpoint, maxLength: 64, quantised: await prepareQuantised({ checkpoint, width, cache: join(folder, "cache"), text }), session: { threads: 1 } });

  test.each(["int8", "int4"] as const)("%s answers mixed rows of base and adapter in a queue as it does one by one", async (width) => {
    const answerer = await open(width);
    const adapters = adapterFeeds(checkpoint.config, [tinyPeftAdapter(checkpoint, { rank: 3, seed: 1 })]);
    const all = await answerer.answerAll(questions(), { adapters, rows: 4, eosIds: [] });
    for (const [i, question] of questions().entries()) {
      const [alone] = await answerer.answerAll([question], { adapters, rows: 1, eosIds: [] });
      expect(all[i].generated).toEqual(alone.generated);
      expect(all[i].continuations[0].logLikelihood).toBeCloseTo(alone.continuations[0].logLikelihood, 4);
    }
    expect(new Set(all.map(({ generated }) => generated.ids.join())).size).toBeGreaterThan(1);
    await answerer.release();
  });

  test("of 8 bits has nearly the float model's log-likelihoods, of 4 bits roughly", async () => {
    const plain = await createAnswerer({ checkpoint, maxLength: 64, session: { threads: 1 } });
    const expected = await plain.answerAll(questions(), { rows: 4, eosIds: [], adapters: adapterFeeds(checkpoint.config, [tinyPeftAdapter(checkpoint, { rank: 3, seed: 1 })]) });
    await plain.release();
    const off: Record<string, number> = {};
    for (const width of ["int8", "int4"] as const) {
      const answerer = await open(width);
      const found = await answerer.answerAll(questions(), { rows: 4, eosIds: [], adapters: adapterFeeds(checkpoint.config, [tinyPeftAdapter(checkpoint, { rank: 3, seed: 1 })]) });
      await answerer.release();
      off[width] = Math.max(...found.map(({ continuations }, i) => Math.abs(continuations[0].logLikelihood - expected[i].continuations[0].logLikelihood)));
    }
    console.log(`rounded tiny model: log-likelihoods of two tokens off by at most ${off["int8"].toFixed(3)} (int8) and ${off["int4"].toFixed(3)} nats (int4)`);
    expect(off["int8"]).toBeLessThan(0.4); // measured 0.16: logits of order 10 of a random model, whose every product rounds by about 1 %
    expect(off["int8"]).toBeLessThan(off["int4"]);
  });

  test("is made once, found again, and not left half written when it is cancelled", async () => {
    const cache = join(folder, "once");
    const signal = AbortSignal.abort(new Error("asked to stop"));
    await expect(prepareQuantised({ checkpoint, width: "int8", cache, text, signal })).rejects.toThrow("asked to stop");
    expect(readdirSync(quantisedFolder(cache, checkpoint.fingerprint, "int8"))).toEqual([]);
    const told: number[] = [];
    const { folder: made, file } = await prepareQuantised({ checkpoint, width: "int8", cache, text, onProgress: (done, total) => void told.push(done / total) });
    expect(told.at(-1)).toBeCloseTo(1, 6);
    expect(existsSync(join(made, file))).toBe(true);
    await prepareQuantised({ checkpoint, width: "int8", cache, text, onProgress: () => expect.fail("made a second time") });
  });

  test("of 4 bits tells how far its text and its rounding are, ends where it is asked to, and takes the place of earlier versions", async () => {
    const cache = join(folder, "four");
    const print = checkpoint.fingerprint.slice(0, 32);
    const [old, newer] = [`${print}-int4-v1`, `${print}-int4-v999`];
    for (const name of [old, newer, "other"]) mkdirSync(join(cache, name), { recursive: true });
    const stopping = new AbortController();
    const stop = (done: number, total: number): void => void (done > 0.7 * total && stopping.abort(new Error("asked to stop")));
    await expect(prepareQuantised({ checkpoint, width: "int4", cache, text, onProgress: stop, signal: stopping.signal })).rejects.toThrow("asked to stop");
    expect(existsSync(join(cache, old))).toBe(true);
    const told: number[] = [];
    const made = await prepareQuantised({ checkpoint, width: "int4", cache, text, onProgress: (done, total) => void told.push(done / total) });
    expect(told.at(-1)).toBeCloseTo(1, 6);
    expect(told.every((share, i) => i === 0 || share >= told[i - 1]!)).toBe(true);
    expect(made.textTokens).toBe(256);
    expect(readdirSync(cache).sort()).toEqual([made.folder.slice(cache.length + 1), newer, "other"].sort());
  });

  test("of 4 bits keeps 8 in the first and last eighth of its layers and in the head", () => {
    const layers = Array.from({ length: 30 }, (_, layer) => bitsOf("int4", layer, 30));
    expect(layers).toEqual([8, 8, 8, ...Array<number>(23).fill(4), 8, 8, 8, 8]);
    expect(bitsOf("int4", null, 30)).toBe(8);
    expect(bitsOf("int8", 12, 30)).toBe(8);
  });

  test("keeps what was measured of it; another width's or a broken file counts as none", () => {
    const cache = join(folder, "measured");
    const measured = { width: "int8" as const, questions: 48, tokens: 150, lossNats: 3.412, float32LossNats: 3.409, tokensPerSecond: 65, float32TokensPerSecond: 25, textTokens: 0 };
    expect(readMeasured(cache, checkpoint.fingerprint, "int8")).toBeNull();
    writeMeasured(cache, checkpoint.fingerprint, measured);
    expect(readMeasured(cache, checkpoint.fingerprint, "int8")).toEqual(measured);
    expect(readMeasured(cache, checkpoint.fingerprint, "int4")).toBeNull();
    writeMeasured(cache, checkpoint.fingerprint, { ...measured, lossNats: NaN });
    expect(readMeasured(cache, checkpoint.fingerprint, "int8")).toBeNull();
  });
});
