// Decoding, ours at every width against llama.cpp (4 bits, one row: it is what its GGUF file holds) and transformers
// (float32, rows side by side): the same prompt length and number of new tokens, the same threads, in turns.

import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { openCheckpoint } from "../native-models/checkpoint/checkpoint.ts";
import { widths, type Width } from "../native-models/quantised/places.ts";
import { llamaPackage, nodePeers } from "../test/peers/node-peers.ts";
import { openPeer, runOurs } from "./child.ts";
import type { DecodeFigures, OurDecoding } from "./decode-ours.ts";
import { ourVersions, quietCheck, thisMachine } from "./machine.ts";
import { repoRoot, type Tools } from "./places.ts";
import { compare, smallest, type BenchReport, type Check, type Figure } from "./report.ts";
import type { DecodeBench } from "./settings.ts";

interface LlamaFigures {
  loadSeconds: number;
  promptSeconds: number;
  stepSeconds: number;
  peakBytes: number;
}

interface TransformersFigures {
  loadSeconds: number;
  steps: { rows: number; stepSeconds: number }[];
  peakBytes: number;
  torch: string;
  transformers: string;
}

export async function decodeBench(settings: DecodeBench, tools: Tools): Promise<BenchReport> {
  const began = performance.now();
  const machine = thisMachine();
  const { model, rows, promptTokens, newTokens, threads, rounds, withPeer } = settings;
  const notRun: { what: string; why: string }[] = [];
  const gguf = settings.gguf ?? ggufBeside(model);
  const llama = openLlama();
  const python = await openPeer("transformers_decode.py", withPeer, tools);
  if (python.run === null) notRun.push({ what: "transformers", why: python.why });

  function openLlama(): string | null {
    if (!withPeer) return notRun.push({ what: "llama.cpp", why: "left out by --no-peer" }), null;
    if (gguf === null) return notRun.push({ what: "llama.cpp", why: "no GGUF file of the model was found: name one with --gguf" }), null;
    const peers = nodePeers(tools.say);
    return peers.folder ?? (notRun.push({ what: "llama.cpp", why: peers.reason }), null);
  }

  // Rounding is done before, so that it counts for neither speed nor memory.
  for (const width of widths) if (width !== "float32") await runOurs("decode-ours.ts", { model, width, cache: join(tools.work, "rounded"), rows: [], promptTokens, newTokens, threads } satisfies OurDecoding, tools);
  const ours: DecodeFigures[] = [];
  const theirs: LlamaFigures[] = [];
  const others: TransformersFigures[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const width of widths) {
      tools.say(`Round ${round} of ${rounds}: Nullspace, ${width}`);
      ours.push(await runOurs<DecodeFigures>("decode-ours.ts", { model, width, cache: join(tools.work, "rounded"), rows, promptTokens, newTokens, threads } satisfies OurDecoding, tools));
    }
    if (llama !== null && gguf !== null) {
      tools.say(`Round ${round} of ${rounds}: llama.cpp`);
      theirs.push(await runLlama({ folder: llama, gguf, promptTokens, newTokens, threads, vocabulary: openCheckpoint(model).config.vocabulary }, tools.signal));
    }
    if (python.run !== null) {
      tools.say(`Round ${round} of ${rounds}: transformers`);
      const args = ["--model", model, "--rows", rows.join(","), "--prompt-tokens", promptTokens, "--new-tokens", newTokens, "--threads", threads];
      others.push((await python.run(args.map(String))) as TransformersFigures);
    }
  }

  const step = (width: Width, count: number): number | null => smallest(ours.filter((each) => each.width === width).flatMap(({ steps }) => steps.filter((one) => one.rows === count).map(({ stepSeconds }) => stepSeconds)));
  const rate = (seconds: number | null, count: number): number | null => (seconds === null ? null : count / seconds);
  const theirStep = smallest(theirs.map(({ stepSeconds }) => stepSeconds));
  const otherStep = (count: number): number | null => smallest(others.flatMap(({ steps }) => steps.filter((one) => one.rows === count).map(({ stepSeconds }) => stepSeconds)));
  const figures: Figure[] = widths.flatMap((width) => rows.map((count) => ({ what: `${width}, ${count === 1 ? "one row" : `${count} rows`}`, value: rate(step(width, count), count)!, unit: "tokens/s" })));
  const single = ours.filter(({ width }) => width === "int4").flatMap(({ steps }) => steps.filter((one) => one.rows === 1)); // as llama.cpp is measured
  const prompts = smallest(single.map(({ promptSeconds }) => promptSeconds));
  const comparisons = [
    compare("4 bits, one row (peer: llama.cpp)", "tokens/s", "more", rate(step("int4", 1), 1), rate(theirStep, 1)),
    compare("a prompt, 4 bits (peer: llama.cpp)", "tokens/s", "more", rate(prompts, promptTokens), rate(smallest(theirs.map(({ promptSeconds }) => promptSeconds)), promptTokens)),
    ...rows.map((count) => compare(`float32, ${count === 1 ? "one row" : `${count} rows`} (peer: transformers)`, "tokens/s", "more", rate(step("float32", count), count), rate(otherStep(count), count))),
    compare("peak memory, 4 bits, one row (peer: llama.cpp)", "GB", "less", smallest(single.map(({ peakBytes }) => peakBytes / 1e9)), smallest(theirs.map(({ peakBytes }) => peakBytes / 1e9))),
  ];
  const checks: Check[] = [quietCheck(machine)];
  const [level] = comparisons;
  if (level.ratio !== null) checks.push({ what: "decoding at 4 bits against llama.cpp", found: `${level.ratio.toFixed(2)}×`, wanted: "at least 1×", holds: level.ratio >= 1 });
  const [first] = others;
  return {
    bench: "decode",
    peer: "peer",
    machine,
    versions: { ...ourVersions(), ...(theirs.length > 0 && { [llamaPackage.name]: llamaPackage.version }), ...(first && { torch: first.torch, transformers: first.transformers }) },
    settings: { ...settings, gguf },
    comparisons,
    figures,
    checks,
    notRun,
    measured: [...ours, ...theirs.map((each) => ({ llama: each })), ...others.map((each) => ({ transformers: each }))],
    elapsedMs: performance.now() - began,
  };
}

/** A GGUF file of 4 bits in the model's folder or the one below it named gguf. */
function ggufBeside(model: string): string | null {
  for (const folder of [join(model, "gguf"), model]) {
    const found = existsSync(folder) ? readdirSync(folder).find((name) => /q4.*\.gguf$/i.test(name)) : undefined;
    if (found !== undefined) return join(folder, found);
  }
  return null;
}

async function runLlama(settings: object, signal: AbortSignal): Promise<LlamaFigures> {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", join(repoRoot, "test/peers/llama-decode.ts"), JSON.stringify(settings)], { signal, stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr = (stderr + text).slice(-4000)));
  const code = await new Promise<number | null>((settle, reject) => child.once("error", reject).once("close", settle));
  if (code !== 0) throw new Error(`llama-decode.ts ended with ${code}:\n${stderr.trim()}`);
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as LlamaFigures;
}
