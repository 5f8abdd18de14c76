// Training, ours against PEFT: the same rows, start, schedule and optimizer, in turns A B A B.
// Rates count real tokens, no padding. The share of the peak counts the products that no training can leave out: 4 flops
// a frozen weight and token (forward, and back to the input; half of it where layer 0's input needs no gradient), and
// the head at trained positions. The adapters' own products and attention are not counted, so 100 % is out of reach.

import { openCheckpoint } from "../native-models/checkpoint/checkpoint.ts";
import { modulesOf } from "../native-models/programs/names.ts";
import { openPeer, runOurs } from "./child.ts";
import { ourVersions, quietCheck, thisMachine } from "./machine.ts";
import type { Peak } from "./peak-ours.ts";
import type { Tools } from "./places.ts";
import { compare, largest, mean, type BenchReport, type Check, type Comparison, type Figure } from "./report.ts";
import type { TrainBench, TrainKind } from "./settings.ts";
import type { OurTraining, TrainFigures } from "./train-ours.ts";
import { rowsFile, startFile } from "./train-rows.ts";

const learningRate = 2e-4;
/** Float32 on both sides, summed in different orders over some steps. */
const lossTolerance = 1e-3;

interface PeerFigures extends Omit<TrainFigures, "trainedTokens"> {
  torch: string;
  peft: string;
  transformers: string;
}

interface Round {
  kind: TrainKind;
  round: number;
  ours: TrainFigures;
  peer: PeerFigures | null;
}

export async function trainBench(settings: TrainBench, tools: Tools): Promise<BenchReport> {
  const began = performance.now();
  const machine = thisMachine();
  const { model, kinds, steps, batch, rank, recomputed, threads, rounds, withPeer } = settings;
  const rows = await rowsFile(model, steps * batch, tools.work);
  const starts = new Map(kinds.map((kind) => [kind, startFile(model, kind, rank, tools.work)]));
  const peer = await openPeer("peft_train_bench.py", withPeer, tools);
  const notRun: { what: string; why: string }[] = peer.run === null ? [{ what: "PEFT", why: peer.why }] : [];

  const peaks: number[] = [];
  const measured: Round[] = [];
  for (let round = 1; round <= rounds; round++) {
    peaks.push((await runOurs<Peak>("peak-ours.ts", { threads }, tools)).flopsPerSecond);
    for (const kind of kinds) {
      const start = starts.get(kind)!.file;
      tools.say(`Round ${round} of ${rounds}, ${kind}: Nullspace`);
      const ours = await runOurs<TrainFigures>("train-ours.ts", { model, batches: rows.file, start, kind, rank, batch, steps, learningRate, recomputed, threads } satisfies OurTraining, tools);
      const hasFailed = notRun.some(({ what }) => what.startsWith("PEFT"));
      if (peer.run !== null && !hasFailed) tools.say(`Round ${round} of ${rounds}, ${kind}: PEFT`);
      const args = ["--model", model, "--batches", rows.file, "--start", start, "--kind", kind, "--rank", rank, "--batch", batch, "--steps", steps, "--lr", learningRate, "--threads", threads].map(String);
      const theirs = peer.run === null || hasFailed ? null : await peer.run(args).catch((error: unknown) => {
        tools.signal.throwIfAborted();
        notRun.push({ what: `PEFT (${kind})`, why: error instanceof Error ? error.message : String(error) });
        return null;
      });
      measured.push({ kind, round, ours, peer: theirs as PeerFigures | null });
    }
  }

  const peak = Math.max(...peaks);
  const parts = kinds.map((kind) => ofKind(kind, measured.filter((each) => each.kind === kind), { peak, model }));
  const versions = measured.find(({ peer: theirs }) => theirs !== null)?.peer;
  return {
    bench: "train",
    peer: "PEFT",
    machine,
    versions: { ...ourVersions(), ...(versions && { torch: versions.torch, transformers: versions.transformers, peft: versions.peft }) },
    settings: { ...settings, learningRate, rows: rows.from, starts: Object.fromEntries([...starts].map(([kind, { from }]) => [kind, from])) },
    comparisons: parts.flatMap(({ comparisons }) => comparisons),
    figures: [
      { what: "matrix-multiply peak of the runtime, float32", value: peak / 1e9, unit: "GFLOP/s", note: peaks.map((each) => (each / 1e9).toFixed(0)).join(", ") },
      ...parts.flatMap(({ figures }) => figures),
    ],
    checks: [quietCheck(machine), ...parts.flatMap(({ checks }) => checks)],
    notRun,
    measured,
    elapsedMs: performance.now() - began,
  };
}

function ofKind(kind: TrainKind, rounds: readonly Round[], { peak, model }: { peak: number; model: string }): { comparisons: Comparison[]; figures: Figure[]; checks: Check[] } {
  const ours = rounds.map((round) => round.ours);
  const theirs = rounds.flatMap(({ peer }) => (peer === null ? [] : [peer]));
  const both = (what: string, unit: string, better: "more" | "less", of: (figures: PeerFigures | TrainFigures) => number, sum = mean): Comparison =>
    compare(`${kind}: ${what}`, unit, better, sum(ours.map(of)), sum(theirs.map(of)));
  const flops = neededFlops(model, ours[0]!);
  const share = (tokensPerSecond: number | null): number | null => (tokensPerSecond === null ? null : (flops * tokensPerSecond * 100) / peak);
  return {
    comparisons: [
      both("after the first step", "real tokens/s", "more", (each) => each.tokensPerSecondAfterFirstStep),
      both("with the first step", "real tokens/s", "more", (each) => each.tokensPerSecond),
      compare(`${kind}: each step at its fastest turn`, "real tokens/s", "more", quietRate(ours), quietRate(theirs)),
      compare(`${kind}: share of the multiply peak, each step at its fastest turn`, "%", "more", share(quietRate(ours)), share(quietRate(theirs))),
      both("all steps", "real tokens a second of processor time", "more", (each) => each.tokens / each.cpuSeconds),
      both("peak memory of the process", "GB", "less", (each) => each.peakBytes / 1e9, largest),
      both("loading, process start left out", "s", "less", (each) => each.loadSeconds),
    ],
    figures: [{ what: `${kind}: limit at the multiply peak`, value: peak / flops, unit: "tokens/s" }],
    checks: theirs.length === 0 ? [] : [lossCheck(kind, ours[0]!.lossNats, theirs[0]!.lossNats)],
  };
}

/** Tokens a second when each step is taken from the turn where it went fastest: least touched by other work. */
export function quietRate(turns: readonly Pick<TrainFigures, "tokensOfStep" | "stepSeconds">[]): number | null {
  if (turns.length === 0) return null;
  const seconds = turns[0]!.stepSeconds.map((_, step) => Math.min(...turns.map(({ stepSeconds }) => stepSeconds[step]!)));
  return total(turns[0]!.tokensOfStep) / total(seconds);
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

/** Flops a real token that the frozen weights take at least: see the top of the file. */
export function neededFlops(model: string, { tokens, trainedTokens }: Pick<TrainFigures, "tokens" | "trainedTokens">): number {
  const { config } = openCheckpoint(model);
  const perToken = modulesOf(config).reduce((sum, { layer, input, in: size, out }) => sum + (layer === 0 && input === "attention" ? 2 : 4) * size * out, 0);
  return perToken + (4 * config.vocabulary * config.hidden * trainedTokens) / tokens;
}

function lossCheck(kind: TrainKind, ours: readonly number[], theirs: readonly number[]): Check {
  const worst = Math.max(...ours.map((loss, step) => Math.abs(loss - theirs[step]!)));
  return { what: `${kind}: losses of ${ours.length} steps agree`, found: `apart by ${worst.toExponential(1)} nats at most`, wanted: `at most ${lossTolerance}`, holds: worst <= lossTolerance };
}
