// Probing, ours against lm-evaluation-harness: the same questions, examples, stops and most new tokens, in turns.
// "Generating": prompts and answers alone, with the model loaded, on both sides. "The whole evaluation": with the model
// loaded, all that each side does; ours then also takes the log-likelihood of each first accepted answer.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { writePeftAdapter } from "../native-models/adapter/peft.ts";
import { openCheckpoint } from "../native-models/checkpoint/checkpoint.ts";
import { seededRandom } from "../native-models/data/random.ts";
import { filterGeneration } from "../native-models/probe/score.ts";
import { modulesOf } from "../native-models/programs/names.ts";
import { openPeer, runOurs } from "./child.ts";
import { ourVersions, quietCheck, thisMachine } from "./machine.ts";
import { sample, sharedFolder, type Tools } from "./places.ts";
import type { OurProbing, ProbeFigures, ProbeTurn } from "./probe-ours.ts";
import { compare, largest, mean, smallest, type BenchReport, type Check, type Figure } from "./report.ts";
import type { ProbeBench } from "./settings.ts";

const goldenRows = 120;
/** Two rows may differ by a tie in the last bit. */
const goldenEqualAtLeast = 118;
const pairCostAtMost = 1.35;
/** Answers long enough that decoding is all but everything. */
const longAnswers = { questions: sample("word-problems.test.jsonl"), atOnce: [1, 4, 16], newTokens: 64 };

interface PeerFigures {
  questions: number;
  generateSeconds: number;
  wholeEvaluationSeconds: number;
  loadSeconds: number;
  cpuSeconds: number;
  peakBytes: number;
  exactMatch: number;
  torch: string;
  transformers: string;
  lmEval: string;
}

interface HarnessAnswer {
  prompt: string;
  generated: string;
  exact_match: number;
}

export async function probeBench(settings: ProbeBench, tools: Tools): Promise<BenchReport> {
  const began = performance.now();
  const machine = thisMachine();
  const { model, questions: limit, shots, batch, ourBatch, newTokens, threads, rounds, withPeer, withGolden } = settings;
  const shared = sharedFolder();
  const files = shared === null
    ? { questions: sample("world-knowledge.probe.jsonl"), shotsFrom: sample("world-knowledge.calibration.jsonl") }
    : { questions: join(shared, "data/nq_open.probe.jsonl"), shotsFrom: join(shared, "data/nq_open.calibration.jsonl") };
  const adapter = smallAdapter(model, settings.rank, tools.work);
  const ours = (turns: OurProbing["turns"], count: number, long: OurProbing["long"] = null): Promise<ProbeFigures> =>
    runOurs("probe-ours.ts", { model, adapter, ...files, shots, limit: count, batch: ourBatch, newTokens, turns, long } satisfies OurProbing, tools);
  const peer = await openPeer("lm_eval_probe.py", withPeer, tools);
  const notRun: { what: string; why: string }[] = peer.run === null ? [{ what: "lm-evaluation-harness", why: peer.why }] : [];

  const samplesFile = join(tools.work, "harness.jsonl");
  const measured: { round: number; ours: ProbeFigures; peer: PeerFigures | null }[] = [];
  for (let round = 1; round <= rounds; round++) {
    tools.say(`Round ${round} of ${rounds}: Nullspace, base alone, then base and tuned together`);
    const own = await ours(["base", "both"], limit, longAnswers);
    let theirs: PeerFigures | null = null;
    if (peer.run !== null && notRun.length === 0) {
      tools.say(`Round ${round} of ${rounds}: lm-evaluation-harness`);
      const args = ["--model", model, "--questions", files.questions, "--shots-from", files.shotsFrom, "--shots", shots, "--limit", limit, "--batch", batch, "--new-tokens", newTokens, "--threads", threads, "--samples", samplesFile];
      theirs = await peer.run(args.map(String)).then((found) => found as PeerFigures, (error: unknown) => {
        tools.signal.throwIfAborted();
        notRun.push({ what: "lm-evaluation-harness", why: error instanceof Error ? error.message : String(error) });
        return null;
      });
    }
    measured.push({ round, ours: own, peer: theirs });
  }

  const turnsOf = (turn: ProbeTurn["turn"]): ProbeTurn[] => measured.flatMap((each) => each.ours.turns.filter((one) => one.turn === turn));
  const [base, both] = [turnsOf("base"), turnsOf("both")];
  const theirs = measured.flatMap((each) => (each.peer === null ? [] : [each.peer]));
  const rate = <T extends { questions: number }>(list: readonly T[], seconds: (each: T) => number): number | null => mean(list.map((each) => each.questions / seconds(each)));
  const checks: Check[] = [quietCheck(machine)];
  if (theirs.length > 0) checks.push(...agreement(measured[0]!.ours.answers, readHarness(samplesFile)));
  const figures: Figure[] = [
    { what: "base and tuned together, generating", value: rate(both, (each) => each.generateSeconds)!, unit: "questions/s", note: `random adapter of rank ${settings.rank}` },
  ];
  const setUp = mean(theirs.map((each) => each.wholeEvaluationSeconds - each.generateSeconds));
  if (setUp !== null) figures.push({ what: "lm-eval's whole evaluation beside generating", value: setUp, unit: "s", note: "8 s with 16 questions as with 64: with more of them the whole evaluation's ratio falls towards that of generating" });
  const pairCost = Math.min(...both.map((each) => each.generateSeconds)) / Math.min(...base.map((each) => each.generateSeconds));
  for (const [i, atOnce] of longAnswers.atOnce.entries()) {
    const turns = measured.map((each) => each.ours.long[i]!);
    const cost = smallest(turns.map((each) => each.bothSeconds))! / smallest(turns.map((each) => each.baseSeconds))!;
    const what = `base and tuned together cost in answers of ${longAnswers.newTokens} tokens, ${atOnce} at once`;
    figures.push({ what, value: cost, unit: "× base alone", note: "decoding, where frozen weights are read once for both" });
  }
  checks.push({ what: "base and tuned together cost, of base alone", found: `${pairCost.toFixed(2)}× (fastest turn of each)`, wanted: `at most ${pairCostAtMost}×`, holds: pairCost <= pairCostAtMost });
  if (withGolden) {
    if (shared === null) notRun.push({ what: "the stored answers of the harness", why: "../shared/golden is not beside this checkout" });
    else checks.push(goldenCheck(await ours(["base"], goldenRows), readHarness(join(shared, "golden/lm_eval_nq_5shot.jsonl"))));
  }
  const first = theirs[0];
  return {
    bench: "probe",
    peer: "lm-eval",
    machine,
    versions: { ...ourVersions(), ...(first && { torch: first.torch, transformers: first.transformers, "lm-eval": first.lmEval }) },
    settings: { ...settings, ...files },
    comparisons: [
      compare(`generating, ${shots}-shot`, "questions/s", "more", rate(base, (each) => each.generateSeconds), rate(theirs, (each) => each.generateSeconds)),
      compare("the whole evaluation", "questions/s", "more", rate(base, (each) => each.wholeSeconds), rate(theirs, (each) => each.wholeEvaluationSeconds), "ours with log-likelihoods"),
      compare("the whole evaluation", "questions a second of processor time", "more", rate(base, (each) => each.cpuSeconds), rate(theirs, (each) => each.cpuSeconds)),
      compare("peak memory of the process", "GB", "less", largest(measured.map((each) => each.ours.peakBytes / 1e9)), largest(theirs.map((each) => each.peakBytes / 1e9)), "ours with the adapter"),
      compare("loading, process start left out", "s", "less", smallest(measured.map((each) => each.ours.loadSeconds)), smallest(theirs.map((each) => each.loadSeconds))),
    ],
    figures,
    checks,
    notRun,
    measured: measured.map(({ round, ours: { answers: _, ...own }, peer: other }) => ({ round, ours: own, peer: other })),
    elapsedMs: performance.now() - began,
  };
}

/** An adapter on every projection that changes little: its cost is any adapter's, and the answers stay as long. */
function smallAdapter(model: string, rank: number, work: string): string {
  const { config } = openCheckpoint(model);
  const random = seededRandom(0);
  const uniform = (length: number, bound: number): Float32Array => Float32Array.from({ length }, () => (2 * random.float() - 1) * bound);
  const modules = modulesOf(config).map(({ name, in: size, out }) => ({ name, in: size, out, a: uniform(rank * size, 1 / Math.sqrt(size)), b: uniform(out * rank, 1e-3) }));
  const folder = join(work, "adapter");
  writePeftAdapter(folder, { baseModelName: model, rank, alpha: rank, modules, layers: config.layers });
  return folder;
}

function readHarness(file: string): HarnessAnswer[] {
  return readFileSync(file, "utf8").trim().split("\n").map((line) => JSON.parse(line) as HarnessAnswer);
}

function agreement(ours: ProbeFigures["answers"], theirs: readonly HarnessAnswer[]): Check[] {
  const total = theirs.length;
  const count = (isEqual: (own: ProbeFigures["answers"][number], other: HarnessAnswer) => boolean): number => theirs.filter((other, i) => ours[i] !== undefined && isEqual(ours[i], other)).length;
  const check = (what: string, equal: number, least: number): Check => ({ what, found: `${equal} of ${total}`, wanted: `at least ${least}`, holds: equal >= least });
  const withTies = Math.ceil((goldenEqualAtLeast / goldenRows) * total - 1e-9);
  return [
    check("prompts equal", count((own, other) => own.prompt === other.prompt), total),
    check("answers equal after the harness's cut", count((own, other) => filterGeneration(own.answer) === filterGeneration(other.generated)), withTies),
    check("scores equal", count((own, other) => own.isExact === (other.exact_match === 1)), withTies),
  ];
}

function goldenCheck({ answers }: ProbeFigures, stored: readonly HarnessAnswer[]): Check {
  const equal = stored.filter(({ prompt, generated, exact_match }, i) => {
    const own = answers[i];
    return own !== undefined && own.prompt === prompt && filterGeneration(own.answer) === filterGeneration(generated) && own.isExact === (exact_match === 1);
  }).length;
  return { what: "stored answers of the harness reproduced: prompt, answer and score", found: `${equal} of ${stored.length}`, wanted: `at least ${goldenEqualAtLeast}`, holds: equal >= goldenEqualAtLeast };
}
