// nullspace bench train|probe|decode|nullspace: ours against a peer on this machine, in one run.
// Measuring is the checkout's bench/ folder, which the packaged app does not carry: it is looked up when it is asked for.

import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { InvalidArgumentError, Option, type Command } from "commander";
import type { BenchName } from "../../../bench/report.ts";
import type { BenchRun } from "../../../bench/run.ts";
import type { BenchHelp, BenchSettings, TrainKind } from "../../../bench/settings.ts";
import { UserError } from "../../../native-models/errors.ts";
import { appRoot } from "../../services/system.ts";
import { defaults } from "../../services/params/defaults.ts";
import type { Context } from "../context.ts";
import { command, whole } from "../options.ts";
import { fetchSampleModel } from "../sample-model.ts";

/** What the bench/ folder offers. */
export interface Benches {
  run<N extends BenchName>(name: N, settings: BenchSettings[N], tools: { say(line: string): void; signal: AbortSignal }): Promise<BenchRun>;
  help: Readonly<Record<BenchName, BenchHelp>>;
  helpText(): string;
}

interface Common {
  model?: string;
  rounds: number;
  threads: number;
  peer: boolean;
}

interface TrainOptions extends Common {
  kinds: TrainKind[];
  steps: number;
  batch: number;
  rank: number;
  recompute: BenchSettings["train"]["recomputed"];
}

interface ProbeOptions extends Common {
  questions: number;
  shots: number;
  batch: number;
  ourBatch: number;
  newTokens: number;
  rank: number;
  golden: boolean;
}

interface DecodeOptions extends Common {
  rows: number[];
  promptTokens: number;
  newTokens: number;
  gguf?: string;
}

interface NullspaceOptions extends Common {
  rank: number;
  wideRank: number;
  samples: number;
  length: number;
  sizes: number[];
  officialSizes: number[];
}

export function make(context: Context): Command {
  return benchCommand(context, loadBenches);
}

export function benchCommand(context: Context, load: () => Promise<Benches>): Command {
  async function run<N extends BenchName>(name: N, { model, rounds, threads, peer }: Common, own: Omit<BenchSettings[N], "model" | "rounds" | "threads" | "withPeer">): Promise<void> {
    const benches = await load();
    const common = { model: await modelFolder(context, model), rounds, threads, withPeer: peer };
    const { report, text } = await benches.run(name, { ...common, ...own } as BenchSettings[N], { say: context.note, signal: context.signal });
    context.print(report, text);
  }

  const train = common("train", "Training against PEFT: tokens/s, share of the multiply peak, memory, losses.", 2)
    .option("--kinds <LIST>", "what trains: lora, null_v1, null_v2, with commas between", listOf<TrainKind>(["lora", "null_v1", "null_v2"]), ["lora"])
    .option("--steps <N>", "optimizer steps of each turn", whole, 8)
    .option("--batch <B>", "rows in a step", whole, 4)
    .option("--rank <R>", "rank of the adapters, on all projections", whole, 16)
    .addOption(new Option("--recompute <WHAT>", "what our backward pass computes again").choices(["none", "cheap", "layer"]).default("cheap"))
    .action(({ kinds, steps, batch, rank, recompute, ...rest }: TrainOptions) => run("train", rest, { kinds, steps, batch, rank, recomputed: recompute }));

  const probe = common("probe", "World-knowledge questions against lm-evaluation-harness: questions/s, answers, scores.", 2)
    .option("--questions <N>", "questions of each turn", whole, 24)
    .option("--shots <N>", "example answers before each question", whole, 5)
    .option("--batch <B>", "questions at once, of the peer", whole, 8)
    .option("--our-batch <B>", "questions at once, of ours", whole, defaults.probeBatch)
    .option("--new-tokens <N>", "most new tokens of an answer, of both", whole, 256)
    .option("--rank <R>", "rank of the adapter beside the base", whole, 16)
    .option("--golden", "also ours against all 120 stored answers of the harness (needs ../shared)", false)
    .action(({ questions, shots, batch, ourBatch, newTokens, rank, golden, ...rest }: ProbeOptions) => run("probe", rest, { questions, shots, batch, ourBatch, newTokens, rank, withGolden: golden }));

  const decode = common("decode", "Decoding at every width against llama.cpp and transformers: tokens/s.", 2)
    .option("--rows <LIST>", "rows decoded side by side, with commas between", numbers, [1, 2, 8, 16])
    .option("--prompt-tokens <N>", "tokens of each prompt", whole, 120)
    .option("--new-tokens <N>", "tokens decoded of each row", whole, 48)
    .option("--gguf <FILE>", "llama.cpp's model (default: one of 4 bits in the model's folder)")
    .action(({ rows, promptTokens, newTokens, gguf, ...rest }: DecodeOptions) => run("decode", rest, { rows, promptTokens, newTokens, gguf: gguf === undefined ? null : resolve(gguf) }));

  const nullspace = common("nullspace", "From calibration to a LoRA-Null start against the official route.", 1)
    .option("--rank <R>", "rank of the model's start", whole, 16)
    .option("--wide-rank <R>", "rank at the synthetic sizes", whole, 128)
    .option("--samples <N>", "calibration samples", whole, defaults.samples)
    .option("--length <L>", "tokens a sample", whole, defaults.calibrationLength)
    .option("--sizes <LIST>", "synthetic Grams, with commas between", numbers, [4096])
    .option("--official-sizes <LIST>", "those of them that the official route is measured on; it is worked out for the others", numbers, [4096])
    .action(({ rank, wideRank, samples, length, sizes, officialSizes, ...rest }: NullspaceOptions) => run("nullspace", rest, { rank, wideRank, samples, length, sizes, officialSizes }));

  const bench = command("bench", "Measures Nullspace against a peer on this machine; without a name, lists the benchmarks.").action(async () => {
    const { help, helpText } = await load();
    context.print({ benches: help }, helpText());
  });
  for (const each of [train, probe, decode, nullspace]) bench.addCommand(each);
  return bench;
}

function common(name: BenchName, description: string, rounds: number): Command {
  return command(name, description)
    .option("--model <DIR>", "model folder (default: NULLSPACE_SMOLLM2, .cache/smollm2, else the sample model)")
    .option("--rounds <N>", "turns of each side, one after the other", whole, rounds)
    .option("--threads <N>", "threads of each side", whole, availableParallelism())
    .option("--no-peer", "ours alone");
}

async function modelFolder(context: Context, given: string | undefined): Promise<string> {
  if (given !== undefined) return resolve(given);
  const known = [process.env["NULLSPACE_SMOLLM2"], join(appRoot(), ".cache/smollm2")];
  const found = known.find((folder) => folder !== undefined && folder !== "" && existsSync(join(folder, "model.safetensors")));
  return found === undefined ? (await fetchSampleModel(context)).path : resolve(found);
}

async function loadBenches(): Promise<Benches> {
  const folder = join(appRoot(), "bench");
  if (!existsSync(join(folder, "run.ts"))) {
    throw new UserError({
      what: "The benchmarks are not part of the packaged app.",
      where: folder,
      fix: "Run `npm run bench` in a checkout of the Nullspace repository.",
    });
  }
  const load = <T>(file: string): Promise<T> => import(pathToFileURL(join(folder, file)).href) as Promise<T>;
  const [{ runBench: run }, { help, helpText }] = await Promise.all([
    load<typeof import("../../../bench/run.ts")>("run.ts"),
    load<typeof import("../../../bench/settings.ts")>("settings.ts"),
  ]);
  return { run, help, helpText };
}

function numbers(text: string): number[] {
  return text.split(",").map((part) => whole(part.trim()));
}

function listOf<T extends string>(allowed: readonly T[]): (text: string) => T[] {
  return (text) => text.split(",").map((part) => {
    const found = allowed.find((name) => name === part.trim());
    if (found === undefined) throw new InvalidArgumentError(`It must be some of ${allowed.join(", ")}.`);
    return found;
  });
}
