// The start, ours against the official route: on a model's own calibration, and on synthetic Grams as wide as a 7B's.
// On the model the official route is measured on the first layer (all seven projections) and multiplied by the number of
// layers, which all have the same shapes; the report says so. On a synthetic size it is measured, or, where that was not
// asked for, worked out by the cube of the size from the largest that was.

import { join } from "node:path";
import { openCheckpoint } from "../native-models/checkpoint/checkpoint.ts";
import { readTensorF32 } from "../native-models/checkpoint/safetensors.ts";
import { writeSafetensors } from "../native-models/checkpoint/safetensors-writer.ts";
import { openGramFile } from "../native-models/nullspace/gram-file.ts";
import { modulesOf } from "../native-models/programs/names.ts";
import { openPeer, runOurs } from "./child.ts";
import { ourVersions, quietCheck, thisMachine } from "./machine.ts";
import { sample, sharedFolder, type Tools } from "./places.ts";
import { compare, mean, type BenchReport, type Check, type Comparison, type Figure } from "./report.ts";
import type { NullspaceBench } from "./settings.ts";
import type { OurStart, StartFigures } from "./start-ours.ts";
import type { OurSynthetic, SyntheticFigures } from "./synthetic-ours.ts";

/** Rows of the projections that read a synthetic input: the hidden width of a 7B. */
const wideRows = 4096;
const energyAtMost = 1.001;
const wideRatioAtLeast = 20;
const repeats = 2;

interface OfficialCase {
  name: string;
  shape: [number, number];
  basisSeconds: number;
  splitSeconds: number;
  cpuSeconds: number;
  energy: number;
}

interface OfficialFigures {
  cases: OfficialCase[];
  peakBytes: number;
  torch: string;
}

export async function nullspaceBench(settings: NullspaceBench, tools: Tools): Promise<BenchReport> {
  const began = performance.now();
  const machine = thisMachine();
  const { model, samples, length, rank, wideRank, threads, rounds, sizes, officialSizes, withPeer } = settings;
  const shared = sharedFolder();
  const questions = shared === null ? sample("world-knowledge.calibration.jsonl") : join(shared, "data/nq_open.calibration.jsonl");
  const grams = join(tools.work, "grams.safetensors");
  const peer = await openPeer("official_nullspace.py", withPeer, tools);
  const notRun: { what: string; why: string }[] = peer.run === null ? [{ what: "the official route", why: peer.why }] : [];
  const official = async (what: string, cases: string, casesRank: number): Promise<OfficialFigures | null> => {
    if (peer.run === null) return null;
    tools.say(`The official route, ${what}`);
    return peer.run(["--cases", cases, "--rank", String(casesRank), "--threads", String(threads)]).then((found) => found as OfficialFigures, (error: unknown) => {
      tools.signal.throwIfAborted();
      notRun.push({ what: `the official route, ${what}`, why: error instanceof Error ? error.message : String(error) });
      return null;
    });
  };

  const onModel: { ours: StartFigures; peer: OfficialFigures | null }[] = [];
  const wide: { ours: SyntheticFigures; peer: OfficialFigures | null }[] = [];
  for (let round = 1; round <= rounds; round++) {
    tools.say(`Round ${round} of ${rounds}: Nullspace on the model`);
    const ours = await runOurs<StartFigures>("start-ours.ts", { model, questions, samples, length, rank, repeats, grams } satisfies OurStart, tools);
    onModel.push({ ours, peer: await official("first layer of the model", firstLayerCases(model, grams, tools.work), rank) });
    for (const size of sizes) {
      tools.say(`Round ${round} of ${rounds}: Nullspace on a synthetic Gram of ${size}`);
      const isOfficial = officialSizes.includes(size) && peer.run !== null;
      const cases = isOfficial ? join(tools.work, `${size}.safetensors`) : null;
      const own = await runOurs<SyntheticFigures>("synthetic-ours.ts", { size, out: wideRows, rank: wideRank, repeats, threads, cases } satisfies OurSynthetic, tools);
      wide.push({ ours: own, peer: cases === null ? null : await official(`a Gram of ${size}`, cases, wideRank) });
    }
  }

  const { layers } = openCheckpoint(model).config;
  const start = mean(onModel.flatMap(({ ours }) => ours.startSeconds))!;
  const calibration = mean(onModel.map(({ ours }) => ours.calibrateSeconds))!;
  const oneLayer = (of: (each: OfficialCase) => number): number | null => mean(onModel.flatMap(({ peer: theirs }) => (theirs === null ? [] : [theirs.cases.reduce((sum, each) => sum + of(each), 0)])));
  const allLayers = (of: (each: OfficialCase) => number): number | null => { const one = oneLayer(of); return one === null ? null : one * layers; };
  const timesLayers = `official: first layer measured, × ${layers}`;
  const tokens = onModel[0]!.ours.calibrationTokens;
  const wideParts = sizes.map((size) => ofSize(size, wide, wideRank));
  const version = [...onModel, ...wide].find(({ peer: theirs }) => theirs !== null)?.peer?.torch;
  return {
    bench: "nullspace",
    peer: "official",
    machine,
    versions: { ...ourVersions(), ...(version !== undefined && { torch: version }) },
    settings: { ...settings, questions },
    comparisons: [
      compare(`whole start of the model, rank ${rank}`, "s", "less", start, allLayers(wallSeconds), timesLayers),
      compare(`whole start of the model, rank ${rank}`, "s of processor time", "less", mean(onModel.flatMap(({ ours }) => ours.cpuSeconds)), allLayers((each) => each.cpuSeconds), timesLayers),
      ...wideParts.flatMap(({ comparisons }) => comparisons),
    ],
    figures: [
      { what: "calibration pass", value: calibration, unit: "s", note: `${tokens} tokens, ${Math.round(tokens / calibration)} tokens/s` },
      ...wideParts.flatMap(({ figures }) => figures),
    ],
    checks: [
      quietCheck(machine),
      { what: "the whole start takes less than its calibration", found: `${start.toFixed(1)} s beside ${calibration.toFixed(1)} s`, wanted: "less", holds: start < calibration },
      ...energyChecks(onModel[0]!),
      ...wideParts.flatMap(({ checks }) => checks),
    ],
    notRun,
    measured: [...onModel.map(({ ours: { energies: _, ...ours }, peer: theirs }) => ({ ours, peer: theirs })), ...wide],
    elapsedMs: performance.now() - began,
  };
}

/** The seven projections of the first layer with their Grams: each by itself, as the official code has them. */
function firstLayerCases(model: string, grams: string, work: string): string {
  const checkpoint = openCheckpoint(model);
  const gramFile = openGramFile(grams);
  const file = join(work, "first-layer.safetensors");
  const tensors = modulesOf(checkpoint.config).filter(({ layer }) => layer === 0).flatMap(({ name, input, in: size, out }) => [
    { name: `${name}.gram`, dtype: "F64" as const, shape: [size, size], data: gramFile.read(0, input).values },
    { name: `${name}.weight`, dtype: "F32" as const, shape: [out, size], data: readTensorF32(checkpoint, `${name}.weight`) },
  ]);
  writeSafetensors(file, tensors);
  return file;
}

function energyChecks({ ours, peer }: { ours: StartFigures; peer: OfficialFigures | null }): Check[] {
  if (peer === null) return [];
  const inputs = { q_proj: "attention", o_proj: "attentionOutput", up_proj: "mlp", down_proj: "mlpDown" } as const;
  const ratios = Object.entries(inputs).map(([projection, input]) => {
    const own = ours.energies.find((each) => each.layer === 0 && each.input === input)!.energy;
    return own / peer.cases.find(({ name }) => name.endsWith(projection))!.energy;
  });
  return [energyCheck("the first layer's four inputs", Math.max(...ratios), "official")];
}

function energyCheck(where: string, ratio: number, beside: string): Check {
  return { what: `energy kept out of reach of the update, ${where}`, found: `${ratio.toFixed(6)} × the ${beside} one`, wanted: `at most ${energyAtMost}`, holds: ratio <= energyAtMost };
}

function ofSize(size: number, all: readonly { ours: SyntheticFigures; peer: OfficialFigures | null }[], rank: number): { comparisons: Comparison[]; figures: Figure[]; checks: Check[] } {
  const rounds = all.filter(({ ours }) => ours.size === size);
  const known = all.filter(({ peer }) => peer !== null).sort((a, b) => b.ours.size - a.ours.size)[0]?.ours.size;
  const isMeasured = rounds.some(({ peer }) => peer !== null);
  const from = isMeasured ? size : known;
  const official = (of: (each: OfficialCase) => number): number | null => {
    if (from === undefined) return null;
    const found = mean(all.filter(({ ours }) => ours.size === from).flatMap(({ peer }) => (peer === null ? [] : peer.cases.map(of))));
    return found === null ? null : (found * officialFlops(size, wideRows)) / officialFlops(from, wideRows);
  };
  const note = isMeasured || from === undefined ? undefined : `official: worked out from size ${from}`;
  const what = `one ${wideRows} × ${size} projection, rank ${rank}`;
  const row = compare(what, "s", "less", mean(rounds.flatMap(({ ours }) => ours.basisSeconds.map((seconds, i) => seconds + ours.splitSeconds[i]!))), official(wallSeconds), note);
  const cpuRow = compare(what, "s of processor time", "less", mean(rounds.flatMap(({ ours }) => ours.cpuSeconds)), official((each) => each.cpuSeconds), note);
  const worst = Math.max(...rounds.map(({ ours: own }) => own.energy / own.leastEnergy));
  return {
    comparisons: [row, cpuRow],
    figures: [{ what: `peak memory at size ${size}`, value: Math.max(...rounds.map(({ ours: own }) => own.peakBytes)) / 1e9, unit: "GB", note: "ours, making the Gram included" }],
    checks: [
      energyCheck(`size ${size}`, worst, "least possible"),
      ...(row.ratio === null || size < wideRows ? [] : [{ what: `ratio at size ${size}`, found: `${row.ratio.toFixed(1)}×`, wanted: `at least ${wideRatioAtLeast}×`, holds: row.ratio >= wideRatioAtLeast }]),
    ],
  };
}

function wallSeconds({ basisSeconds, splitSeconds }: OfficialCase): number {
  return basisSeconds + splitSeconds;
}

/** Up to a factor: an SVD of [D, D], and one of [out, D]. */
export function officialFlops(size: number, out: number): number {
  return size ** 3 + size * out * Math.min(size, out);
}
