// Our side of the null-space benchmark at the widths of larger models, alone in its process: one synthetic Gram and one
// projection. What is timed is the method itself (starts/lora-null.ts), from Gram and weight in memory to A and B.

import { seededRandom } from "../native-models/data/random.ts";
import { createSafetensors } from "../native-models/checkpoint/safetensors-writer.ts";
import { matrix } from "../native-models/nullspace/kernels.ts";
import { fillNormal } from "../native-models/nullspace/random.ts";
import { openDenseKernels } from "../native-models/runtime/dense-kernels.ts";
import { loraNullV1 } from "../native-models/starts/lora-null.ts";
import { measureAlone, secondsOf } from "./child.ts";
import { realisticSpectrum, syntheticGram } from "./synthetic-gram.ts";

export interface OurSynthetic {
  size: number;
  out: number;
  rank: number;
  repeats: number;
  threads: number;
  /** File for the peer, with NAME.gram and NAME.weight; null: the peer is not run. */
  cases: string | null;
}

export interface SyntheticFigures {
  size: number;
  out: number;
  basisSeconds: number[];
  splitSeconds: number[];
  /** Processor time of both, all threads together. */
  cpuSeconds: number[];
  energy: number;
  /** Σ of the smallest eigenvalues: known, as the Gram was made from them. */
  leastEnergy: number;
  iterations: number;
  peakBytes: number;
}

async function measure({ size, out, rank, repeats, threads, cases }: OurSynthetic): Promise<SyntheticFigures> {
  const kernels = await openDenseKernels({ threads });
  console.error(`making a Gram of ${size}`);
  const gram = await syntheticGram(size, 0, kernels);
  const weight = matrix(out, size);
  fillNormal(weight.values, seededRandom(1));
  for (let i = 0; i < weight.values.length; i++) weight.values[i]! /= Math.sqrt(size);
  if (cases !== null) {
    const file = createSafetensors(cases, [
      { name: `${size}.gram`, dtype: "F64", shape: [size, size] },
      { name: `${size}.weight`, dtype: "F64", shape: [out, size] },
    ]);
    file.write(`${size}.gram`, gram.values);
    file.write(`${size}.weight`, weight.values);
    file.finish();
  }
  const figures: SyntheticFigures = {
    size, out, basisSeconds: [], splitSeconds: [], cpuSeconds: [], energy: NaN, iterations: 0, peakBytes: 0,
    leastEnergy: realisticSpectrum(size).subarray(0, rank).reduce((sum, value) => sum + value, 0),
  };
  for (let repeat = 0; repeat < repeats; repeat++) {
    const started = performance.now();
    const cpuBefore = process.cpuUsage();
    const prepared = await loraNullV1.prepare({ knowledge: gram, task: null }, `synthetic ${size}`, { rank, seed: repeat, kernels });
    const basisDone = performance.now();
    await prepared.start({ name: `synthetic.${size}`, out, in: size, read: () => weight });
    figures.basisSeconds.push((basisDone - started) / 1000);
    figures.splitSeconds.push((performance.now() - basisDone) / 1000);
    figures.cpuSeconds.push(secondsOf(process.cpuUsage(cpuBefore)));
    figures.energy = prepared.basis!.energy;
    figures.iterations = prepared.basis!.iterations;
    console.error(`size ${size}: ${figures.basisSeconds[repeat]!.toFixed(2)} s and ${figures.splitSeconds[repeat]!.toFixed(2)} s`);
  }
  figures.peakBytes = process.resourceUsage().maxRSS * 1024;
  await kernels.release();
  return figures;
}

if (import.meta.main) await measureAlone(measure);
