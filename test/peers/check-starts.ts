// Are our starts PEFT's? PiSSA, OLoRA, CorDA (both) and EVA on random layers and, with --model, on two projections of a
// real model, against PEFT's own initialisers. MiLoRA and LoRA-Null are not in PEFT.
// In: --model DIR (optional), --rank. Out: one JSON object with the relative differences of B·A (of EVA: of the projector
// AᵀA, as signs are free) to PEFT's code run in float64 and to PEFT as it comes; exit code 1 where the first is past its
// tolerance. Run by hand: node test/peers/check-starts.ts --model DIR.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { openCheckpoint } from "../../native-models/checkpoint/checkpoint.ts";
import { openSafetensors, readTensorF32, type SafetensorsFile } from "../../native-models/checkpoint/safetensors.ts";
import { writeSafetensors } from "../../native-models/checkpoint/safetensors-writer.ts";
import { seededRandom } from "../../native-models/data/random.ts";
import { matrix, product, type DenseKernels, type Matrix } from "../../native-models/nullspace/kernels.ts";
import { fillNormal } from "../../native-models/nullspace/random.ts";
import type { Method } from "../../native-models/nullspace/types.ts";
import { openDenseKernels } from "../../native-models/runtime/dense-kernels.ts";
import { methods } from "../../native-models/starts/methods.ts";
import { gramOf } from "../nullspace/synthetic.ts";
import { pythonEnv, runPeer } from "./python-env.ts";

interface Case {
  name: string;
  weight: Matrix;
  /** [T, in] */
  inputs: Matrix;
  /** One channel of the inputs is 50 times as large as the others, as in trained models. */
  isMassive: boolean;
}

const judged: readonly Method[] = ["pissa", "olora", "corda-knowledge", "corda-task", "eva"];

/**
 * Worst relative difference to PEFT's code in float64 that passes. Ours keeps A and B in float32 (6e-8). CorDA's smallest
 * directions of W·C come from (W·C)(W·C)ᵀ, which squares the condition number: with massive channels 1e-4 is left of it
 * (of PEFT's float32, 0.4).
 */
function mostOf(method: Method, { isMassive }: Case): number {
  return method === "corda-knowledge" && isMassive ? 1e-3 : 1e-6;
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { model: { type: "string" }, rank: { type: "string", default: "8" } } });
  const rank = Number(values.rank);
  const env = await pythonEnv((line) => console.error(line));
  if (env.python === null) throw new Error(`PEFT could not be asked: ${env.reason}`);
  const cases = [randomCase("tall", 96, 64, 1), randomCase("wide", 64, 96, 2), randomCase("massive", 64, 96, 2, { isMassive: true }), ...(values.model === undefined ? [] : modelCases(resolve(values.model)))];
  const work = mkdtempSync(join(tmpdir(), "nullspace-starts-"));
  const kernels = await openDenseKernels({ threads: 1 });
  try {
    const [file, out] = [join(work, "cases.safetensors"), join(work, "starts.safetensors")];
    const tensor = (name: string, { rows, cols, values: data }: Matrix) => ({ name, dtype: "F32" as const, shape: [rows, cols], data: Float32Array.from(data) });
    writeSafetensors(file, cases.flatMap(({ name, weight, inputs }) => [tensor(`${name}.weight`, weight), tensor(`${name}.inputs`, inputs)]));
    const versions = await runPeer(env.python, "peft_starts.py", ["--cases", file, "--rank", String(rank), "--out", out], (line) => console.error(line));
    const theirs = openSafetensors(out);
    const differences: { method: Method; name: string; most: number; exact: number; stock: number }[] = [];
    for (const method of judged) {
      for (const each of cases) differences.push({ method, name: each.name, most: mostOf(method, each), ...(await differencesOf(method, each, rank, theirs, kernels)) });
    }
    const failed = differences.filter(({ most, exact }) => !(exact <= most));
    console.log(JSON.stringify({ versions, rank, differences, failed }, null, 2));
    return failed.length === 0 ? 0 : 1;
  } finally {
    await kernels.release();
    rmSync(work, { recursive: true, force: true });
  }
}

/** Relative differences of B·A, of EVA of the projector AᵀA (signs are free), to PEFT's code in float64 and to PEFT as it comes. */
async function differencesOf(method: Method, { name, weight, inputs }: Case, rank: number, theirs: SafetensorsFile, kernels: DenseKernels): Promise<{ exact: number; stock: number }> {
  const gram = await gramOf(inputs);
  const prepared = await methods[method].prepare({ knowledge: gram, task: gram }, name, { rank, seed: 0, kernels });
  const { a, b } = await prepared.start({ name, out: weight.rows, in: weight.cols, read: () => weight });
  const asMatrix = (values: ArrayLike<number>, rows: number): Matrix => ({ rows, cols: values.length / rows, values: Float64Array.from(values) });
  const compared = async (a: ArrayLike<number>, b: ArrayLike<number>): Promise<Float64Array> =>
    (method === "eva" ? await product(kernels, asMatrix(a, rank), asMatrix(a, rank), { transposeA: true }) : await product(kernels, asMatrix(b, weight.rows), asMatrix(a, rank))).values;
  const ours = await compared(a, b);
  const differenceTo = async (prefix: string): Promise<number> => relativeError(ours, await compared(theirs.f64(`${prefix}${method}.${name}.A`), theirs.f64(`${prefix}${method}.${name}.B`)));
  return { exact: await differenceTo(""), stock: await differenceTo("stock.") };
}

function relativeError(a: Float64Array, b: Float64Array): number {
  let [difference, scale] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    difference += (a[i]! - b[i]!) ** 2;
    scale += b[i]! ** 2;
  }
  return Math.sqrt(difference / scale);
}

function randomCase(name: string, out: number, size: number, seed: number, { isMassive = false } = {}): Case {
  const [weight, inputs] = [matrix(out, size), matrix(400, size)];
  fillNormal(weight.values, seededRandom(seed));
  fillNormal(inputs.values, seededRandom(seed, 1));
  // Directions of unequal weight and a mean that is not zero.
  for (let i = 0; i < inputs.values.length; i++) {
    const channel = i % size;
    inputs.values[i] = (inputs.values[i]! + 0.3 * Math.sin(channel)) * 30 ** (-channel / size) * (isMassive && channel === 5 ? 50 : 1);
  }
  return { name, weight, inputs, isMassive };
}

/** k_proj and q_proj of the middle layer, with inputs made as above, of both kinds. */
function modelCases(folder: string): Case[] {
  const checkpoint = openCheckpoint(folder);
  const { layers, hidden, heads, kvHeads, headSize } = checkpoint.config;
  const layer = Math.floor(layers / 2);
  return ([["q_proj", heads], ["k_proj", kvHeads]] as const).flatMap(([projection, count]) => {
    const name = `model.layers.${layer}.self_attn.${projection}`;
    const weight: Matrix = { rows: count * headSize, cols: hidden, values: new Float64Array(readTensorF32(checkpoint, `${name}.weight`)) };
    return [false, true].map((isMassive) => ({ ...randomCase(isMassive ? `${name}.massive` : name, 1, hidden, 3, { isMassive }), weight }));
  });
}

process.exitCode = await main();
