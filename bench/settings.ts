// What a benchmark is told: plain data from the command line, checked here once, and the texts of its help.

import { UserError } from "../native-models/errors.ts";
import type { Recomputed } from "../native-models/programs/train-program.ts";
import type { BenchName } from "./report.ts";

export type TrainKind = "lora" | "null_v1" | "null_v2";

interface Common {
  /** Model folder. */
  model: string;
  /** Turns that each side gets, one after the other. */
  rounds: number;
  threads: number;
  /** false: ours alone, for profiling; the report says so. */
  withPeer: boolean;
}

export interface TrainBench extends Common {
  kinds: readonly TrainKind[];
  steps: number;
  batch: number;
  rank: number;
  recomputed: Recomputed;
}

export interface ProbeBench extends Common {
  questions: number;
  shots: number;
  /** Questions at once, of the peer and of ours. */
  batch: number;
  ourBatch: number;
  newTokens: number;
  rank: number;
  /** Ours against all stored answers of the harness. */
  withGolden: boolean;
}

export interface DecodeBench extends Common {
  /** Rows decoded side by side. */
  rows: readonly number[];
  promptTokens: number;
  newTokens: number;
  /** llama.cpp's model; null: one of 4 bits in the model's folder. */
  gguf: string | null;
}

export interface NullspaceBench extends Common {
  rank: number;
  /** Rank of the synthetic sizes. */
  wideRank: number;
  samples: number;
  length: number;
  /** Synthetic Grams that ours is measured on, and those that the official route is measured on too. */
  sizes: readonly number[];
  officialSizes: readonly number[];
}

export interface BenchSettings {
  train: TrainBench;
  probe: ProbeBench;
  decode: DecodeBench;
  nullspace: NullspaceBench;
}

export interface BenchHelp {
  what: string;
  peer: string;
  needs: string;
  takes: string;
}

const peerNeed = "Python 3.10 or newer; the first time it makes an environment in .cache/peers (about 6 GB, minutes)";

export const help: Readonly<Record<BenchName, BenchHelp>> = {
  train: {
    what: "Training a LoRA on all projections: tokens/s, share of the matrix-multiply peak, peak memory, equal losses.",
    peer: "PEFT on PyTorch, in float32 on the CPU",
    needs: `a small model, 5 GB of free memory; ${peerNeed}`,
    takes: "about 3 minutes on two cores for one kind (8 steps, two rounds each)",
  },
  probe: {
    what: "World-knowledge questions: questions/s, equal answers and scores, the price of asking base and tuned together.",
    peer: "lm-evaluation-harness on PyTorch, in float32 on the CPU",
    needs: `a small model, 3 GB of free memory; ${peerNeed}`,
    takes: "about 3 minutes on two cores (24 questions, two rounds each); --golden adds one minute",
  },
  decode: {
    what: "Decoding with weights of 32, 8 and 4 bits: tokens/s of one row and of rows side by side.",
    peer: "llama.cpp (4 bits, through node-llama-cpp) and transformers (float32), on the CPU",
    needs: `a small model and a GGUF file of it, 2 GB of free memory; npm's registry the first time (.cache/peers-node, 700 MB); ${peerNeed}`,
    takes: "about 2 minutes on two cores",
  },
  nullspace: {
    what: "From calibration Grams to a LoRA-Null start: seconds, energy of the space found, beside the calibration pass.",
    peer: "the official route (full SVDs) in PyTorch, float64",
    needs: `a small model, 4 GB of free memory (size 11008: 12 GB); ${peerNeed}`,
    takes: "about 3 minutes on two cores; with --sizes 4096,11008 about 3 more, with --official-sizes 4096,11008 about half an hour more",
  },
};

export function helpText(): string {
  const entries = (Object.keys(help) as BenchName[]).map((name) => {
    const { what, peer, needs, takes } = help[name];
    return `${name}\n  ${what}\n  Against: ${peer}.\n  Needs: ${needs}.\n  Takes: ${takes}.`;
  });
  return [
    "Benchmarks: each runs Nullspace and a peer in turns on this machine and prints the ratio.",
    "npm run bench -- NAME [options]; --help after a name lists its options; --json prints one object.",
    "",
    ...entries,
    "",
    "Other work on the machine falsifies the absolute figures, and less so the ratio; the load before is printed.",
  ].join("\n");
}

/** Refuses what no benchmark can be run with. */
export function checkSettings(settings: BenchSettings[BenchName]): void {
  for (const [name, value] of Object.entries(settings)) {
    const numbers = typeof value === "number" ? [value] : Array.isArray(value) ? value.filter((each) => typeof each === "number") : [];
    const isWrong = numbers.some((each: number) => !Number.isSafeInteger(each) || each < (name === "shots" ? 0 : 1) || each > 1_000_000);
    if (isWrong) throw new UserError({ what: `${name} is ${String(value)}; it must be a whole number from ${name === "shots" ? 0 : 1}.`, where: `bench: ${name}`, fix: "Leave it out for the usual value." });
  }
}
