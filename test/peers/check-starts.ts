// Are our starts PEFT's? PiSSA, OLoRA, CorDA (both) and EVA on random layers and, with --model, on two projections of a
// real model, against PEFT's own initialisers. MiLoRA and LoRA-Null are not in PEFT.
// In: --model DIR (optional), --rank. Out: one JSON object with the worst relative difference of B·A (EVA: the share of our
// A's energy that PEFT's misses) for each method; exit code 1 past the tolerance. Run by hand: node test/peers/check-starts.ts --model DIR.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { openCheckpoint } from "../../native-models/checkpoint/checkpoint.ts";
import { openSafetensors, readTensorF32, type SafetensorsFile } from "../../native-models/checkpoint/safetensors.ts";
import { writeSafetensors } from "../../native-models/checkpoint/safetensors-writer.ts";
import { seededRandom } from "../../native-models/data/random.ts";
import { matrix, plainKernels, product, transposed, type Matrix } from "../../native-models/nullspace/kernels.ts";
import { orthonormalColumns } from "../../native-models/nullspace/orthonormal.ts";
import { fillNormal } from "../../native-models/nullspace/random.ts";
import type { Gram, Method } from "../../native-models/nullspace/types.ts";
import { openDenseKernels } from "../../native-models/runtime/dense-kernels.ts";
import { methods } from "../../native-models/starts/methods.ts";
import { pythonEnv, runPeer } from "./python-env.ts";

interface Case {
  name: string;
  weight: Matrix;
  /** [T, in] */
  inputs: Matrix;
}

/** PEFT works in float32, where CorDA's smallest directions lose digits in the inverse. EVA's incremental SVD is a random, approximate one. */
const tolerances: Partial<Record<Method, number>> = { pissa: 1e-3, olora: 1e-3, "corda-knowledge": 5e-2, "corda-task": 1e-3, eva: 5e-2 };

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { model: { type: "string" }, rank: { type: "string", default: "8" } } });
  const rank = Number(values.rank);
  const env = await pythonEnv((line) => console.error(line));
  if (env.python === null) throw new Error(`PEFT could not be asked: ${env.reason}`);
  const cases = [randomCase("tall", 96, 64, 1), randomCase("wide", 64, 96, 2), ...(values.model === undefined ? [] : modelCases(resolve(values.model)))];
  const work = mkdtempSync(join(tmpdir(), "nullspace-starts-"));
  const kernels = await openDenseKernels({ threads: 1 });
  try {
    const [file, out] = [join(work, "cases.safetensors"), join(work, "starts.safetensors")];
    const tensor = (name: string, { rows, cols, values: data }: Matrix) => ({ name, dtype: "F32" as const, shape: [rows, cols], data: Float32Array.from(data) });
    writeSafetensors(file, cases.flatMap(({ name, weight, inputs }) => [tensor(`${name}.weight`, weight), tensor(`${name}.inputs`, inputs)]));
    const versions = await runPeer(env.python, "peft_starts.py", ["--cases", file, "--rank", String(rank), "--out", out], (line) => console.error(line));
    const theirs = openSafetensors(out);
    const worst: Record<string, number> = {};
    for (const method of Object.keys(tolerances) as Method[]) {
      for (const each of cases) worst[method] = Math.max(worst[method] ?? 0, await differenceOf(method, each, rank, theirs, kernels));
    }
    const failed = Object.entries(worst).filter(([method, difference]) => !(difference <= tolerances[method as Method]!));
    console.log(JSON.stringify({ versions, rank, cases: cases.map(({ name }) => name), worst, tolerances, failed: failed.map(([method]) => method) }, null, 2));
    return failed.length === 0 ? 0 : 1;
  } finally {
    await kernels.release();
    rmSync(work, { recursive: true, force: true });
  }
}

async function differenceOf(method: Method, { name, weight, inputs }: Case, rank: number, theirs: SafetensorsFile, kernels: Parameters<typeof product>[0]): Promise<number> {
  const gram = { size: weight.cols, values: (await product(kernels, inputs, inputs, { transposeA: true })).values };
  const prepared = await methods[method].prepare({ knowledge: gram, task: gram }, name, { rank, seed: 0, kernels });
  const { a, b } = await prepared.start({ name, out: weight.rows, in: weight.cols, read: () => weight });
  const asMatrix = (values: Float32Array, rows: number): Matrix => ({ rows, cols: values.length / rows, values: Float64Array.from(values) });
  const [ourA, ourB] = [asMatrix(a, rank), asMatrix(b, weight.rows)];
  const [theirA, theirB] = [asMatrix(theirs.f32(`${method}.${name}.A`), rank), asMatrix(theirs.f32(`${method}.${name}.B`), weight.rows)];
  if (method === "eva") return 1 - (await energyIn(gram, theirA)) / (await energyIn(gram, ourA));
  return relativeError((await product(kernels, ourB, ourA)).values, (await product(kernels, theirB, theirA)).values);
}

/** Energy of the inputs in the space of the rows. */
async function energyIn({ size, values }: Gram, rows: Matrix): Promise<number> {
  const q = await orthonormalColumns(transposed(rows), plainKernels, 0);
  const image = await product(plainKernels, { rows: size, cols: size, values }, q);
  return image.values.reduce((sum, value, i) => sum + value * q.values[i]!, 0);
}

function relativeError(a: Float64Array, b: Float64Array): number {
  let [difference, scale] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    difference += (a[i]! - b[i]!) ** 2;
    scale += b[i]! ** 2;
  }
  return Math.sqrt(difference / scale);
}

function randomCase(name: string, out: number, size: number, seed: number): Case {
  const [weight, inputs] = [matrix(out, size), matrix(400, size)];
  fillNormal(weight.values, seededRandom(seed));
  fillNormal(inputs.values, seededRandom(seed, 1));
  for (let i = 0; i < inputs.values.length; i++) inputs.values[i] = inputs.values[i]! * 30 ** (-(i % size) / size); // directions of unequal weight
  return { name, weight, inputs };
}

/** k_proj and q_proj of the middle layer, with inputs of unequal weight. */
function modelCases(folder: string): Case[] {
  const checkpoint = openCheckpoint(folder);
  const { layers, hidden, heads, kvHeads, headSize } = checkpoint.config;
  const layer = Math.floor(layers / 2);
  return ([["q_proj", heads], ["k_proj", kvHeads]] as const).map(([projection, count]) => {
    const name = `model.layers.${layer}.self_attn.${projection}`;
    const weight: Matrix = { rows: count * headSize, cols: hidden, values: new Float64Array(readTensorF32(checkpoint, `${name}.weight`)) };
    return { name, weight, inputs: randomCase(name, 1, hidden, 3).inputs };
  });
}

process.exitCode = await main();
