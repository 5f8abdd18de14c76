// Our side of the training benchmark, alone in its process: the trainer on given rows from a given start.

import { openCheckpoint } from "../native-models/checkpoint/checkpoint.ts";
import { openSafetensors } from "../native-models/checkpoint/safetensors.ts";
import type { AdapterKind } from "../native-models/programs/adapters.ts";
import { modulesOf } from "../native-models/programs/names.ts";
import { buildTrainProgram, type Recomputed, type TrainRow } from "../native-models/programs/train-program.ts";
import { learningRateAt } from "../native-models/training/schedule.ts";
import { createState } from "../native-models/training/state.ts";
import { createTrainer } from "../native-models/training/trainer.ts";
import { measureAlone, secondsOf } from "./child.ts";
import type { TrainKind } from "./settings.ts";
import { startTensor } from "./train-rows.ts";

export interface OurTraining {
  model: string;
  batches: string;
  start: string;
  kind: TrainKind;
  rank: number;
  batch: number;
  steps: number;
  learningRate: number;
  recomputed: Recomputed;
  threads: number;
}

/** The same fields as test/peers/peft_train_bench.py prints. */
export interface TrainFigures {
  tokensPerSecond: number;
  tokensPerSecondAfterFirstStep: number;
  tokens: number;
  /** Tokens that the loss was taken on. */
  trainedTokens: number;
  stepSeconds: number[];
  tokensOfStep: number[];
  /** Processor time of the steps, all threads together. */
  cpuSeconds: number;
  /** From nothing to ready for the first step. */
  loadSeconds: number;
  peakBytes: number;
  lossNats: number[];
}

const adapterKinds: Record<TrainKind, AdapterKind> = { lora: "zero", null_v1: "both", null_v2: "b" };

async function measure(settings: OurTraining): Promise<TrainFigures> {
  const { model, batches, start, kind, rank, batch, steps, learningRate, recomputed, threads } = settings;
  const began = performance.now();
  const rows = readRows(batches);
  const checkpoint = openCheckpoint(model);
  const modules = new Map(modulesOf(checkpoint.config).map((module) => [module.name, module]));
  const compiled = buildTrainProgram(checkpoint, { rank, kind: adapterKinds[kind], recomputed, maxLength: Math.max(...rows.map(({ ids }) => ids.length)) });
  const from = openSafetensors(start);
  const initial = (name: string): Float32Array => startTensor(from, name.replace(/0$/, ""), modules, rank); // A0 and B0 are the start's A and B
  const trainer = await createTrainer({
    checkpoint, compiled, fixed: initial, state: createState(compiled.trainable, initial),
    optimizer: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, clipNorm: null },
    session: { threads },
  });
  const loadSeconds = (performance.now() - began) / 1000;

  const [stepSeconds, lossNats, tokens]: number[][] = [[], [], []];
  let trainedTokens = 0;
  const cpuBefore = process.cpuUsage();
  for (let step = 0; step < steps; step++) {
    const picked = Array.from({ length: batch }, (_, i) => rows[(step * batch + i) % rows.length]!);
    const started = performance.now();
    const figures = await trainer.step([picked], learningRateAt({ peak: learningRate, steps, warmupRatio: 0.03 }, step));
    stepSeconds.push((performance.now() - started) / 1000);
    lossNats.push(figures.lossNats);
    tokens.push(picked.reduce((sum, { ids }) => sum + ids.length, 0));
    trainedTokens += figures.trainedTokens;
    console.error(`step ${step + 1}/${steps}: loss ${figures.lossNats.toFixed(4)}, ${(tokens[step]! / stepSeconds[step]!).toFixed(1)} tokens/s`);
  }
  const cpuSeconds = secondsOf(process.cpuUsage(cpuBefore));
  const warm = steps > 1 ? 1 : 0;
  return {
    tokensPerSecond: sum(tokens) / sum(stepSeconds),
    tokensPerSecondAfterFirstStep: sum(tokens.slice(warm)) / sum(stepSeconds.slice(warm)),
    tokens: sum(tokens),
    trainedTokens,
    stepSeconds,
    tokensOfStep: tokens,
    cpuSeconds,
    loadSeconds,
    peakBytes: process.resourceUsage().maxRSS * 1024,
    lossNats,
  };
}

function readRows(file: string): TrainRow[] {
  const batches = openSafetensors(file);
  const [rows, T] = batches.shape("input_ids") as [number, number];
  const [ids, labels, mask] = ["input_ids", "labels", "attention_mask"].map((name) => batches.i32(name));
  return Array.from({ length: rows }, (_, row) => {
    const length = sum(mask!.subarray(row * T, (row + 1) * T));
    return {
      ids: ids!.subarray(row * T, row * T + length),
      isTrained: Uint8Array.from(labels!.subarray(row * T, row * T + length), (label) => (label === -100 ? 0 : 1)),
    };
  });
}

function sum(values: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i]!;
  return total;
}

if (import.meta.main) await measureAlone(measure);
