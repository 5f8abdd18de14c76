// Our side of the null-space benchmark on a real model, alone in its process: the calibration job, then the whole start.

import { runCalibrate } from "../main/engine/jobs/calibrate.ts";
import { openCheckpoint } from "../native-models/checkpoint/checkpoint.ts";
import { openGramFile } from "../native-models/nullspace/gram-file.ts";
import { buildStarts } from "../native-models/starts/build.ts";
import type { InputEnergy } from "../native-models/starts/start-folder.ts";
import { measureAlone, secondsOf } from "./child.ts";

export interface OurStart {
  model: string;
  questions: string;
  samples: number;
  length: number;
  rank: number;
  /** Starts made one after the other. */
  repeats: number;
  /** Gram file to write, for the peer. */
  grams: string;
}

export interface StartFigures {
  calibrateSeconds: number;
  calibrationTokens: number;
  /** Whole starts: reading Grams and weights, all bases, all splits. */
  startSeconds: number[];
  /** Processor time of each start, all threads together. */
  cpuSeconds: number[];
  modules: number;
  energies: Pick<InputEnergy, "layer" | "input" | "energy" | "totalEnergy">[];
  peakBytes: number;
}

async function measure({ model, questions, samples, length, rank, repeats, grams }: OurStart): Promise<StartFigures> {
  const signal = new AbortController().signal;
  const calibrated = await runCalibrate({ kind: "calibrate", model, questions, samples, length, seed: 0, scaling: "raw", memoryBytes: null, out: grams }, () => {}, signal);
  console.error(`calibration: ${calibrated.tokens} tokens in ${(calibrated.elapsedMs / 1000).toFixed(1)} s`);
  const checkpoint = openCheckpoint(model);
  const [startSeconds, cpuSeconds]: number[][] = [[], []];
  let built: Awaited<ReturnType<typeof buildStarts>> | null = null;
  for (let repeat = 0; repeat < repeats; repeat++) {
    const started = performance.now();
    const cpuBefore = process.cpuUsage();
    built = await buildStarts({ checkpoint, gramFile: openGramFile(grams), method: "lora-null-v1", rank, seed: 0, sink: () => {} });
    startSeconds.push((performance.now() - started) / 1000);
    cpuSeconds.push(secondsOf(process.cpuUsage(cpuBefore)));
    console.error(`start of rank ${rank}, ${built.modules} projections: ${startSeconds[repeat]!.toFixed(2)} s`);
  }
  return {
    calibrateSeconds: calibrated.elapsedMs / 1000,
    calibrationTokens: calibrated.tokens,
    startSeconds,
    cpuSeconds,
    modules: built?.modules ?? 0,
    energies: (built?.energies ?? []).map(({ layer, input, energy, totalEnergy }) => ({ layer, input, energy, totalEnergy })),
    peakBytes: process.resourceUsage().maxRSS * 1024,
  };
}

if (import.meta.main) await measureAlone(measure);
