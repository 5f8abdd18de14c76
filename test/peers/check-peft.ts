// Is our adapter folder PEFT's adapter? Loads it in transformers + PEFT on the untouched base and compares the logits
// with ours, at every place of a few texts, for the base and with the adapter.
// In: --model DIR, --adapter DIR, further arguments are texts. Out: one JSON object; exit code 1 past the tolerance.
// Run by hand: node test/peers/check-peft.ts --model DIR --adapter DIR. Makes the Python environment when it must.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { readPeftAdapter, type PeftAdapter } from "../../native-models/adapter/read-peft.ts";
import { adapterFeeds } from "../../native-models/answering/adapter-feeds.ts";
import { createAnswerer } from "../../native-models/answering/answerer.ts";
import { openCheckpoint } from "../../native-models/checkpoint/checkpoint.ts";
import { openSafetensors } from "../../native-models/checkpoint/safetensors.ts";
import { openTokenizer } from "../../native-models/checkpoint/tokenizer.ts";
import type { Checkpoint } from "../../native-models/checkpoint/types.ts";
import { pythonEnv, runPeer } from "./python-env.ts";

/** Float32 both sides, different summation order over 30 layers; golden forward passes agree within this too. */
const tolerance = 2e-3;

const usualTexts = [
  "The capital of France is Paris, and the capital of Italy is",
  "Below is an instruction that describes a task. Write a response that appropriately completes the request.",
  "Q: What is 17 times 24?\nA: 17 times 24 is 408.",
];

interface Difference {
  worst: number;
  places: number;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { model: { type: "string" }, adapter: { type: "string" } },
    allowPositionals: true,
  });
  if (values.model === undefined || values.adapter === undefined) throw new Error("usage: check-peft.ts --model DIR --adapter DIR [TEXT…]");
  const model = resolve(values.model);
  const adapterFolder = resolve(values.adapter);
  const env = await pythonEnv((line) => console.error(line));
  if (env.python === null) throw new Error(`PEFT could not be asked: ${env.reason}`);

  const checkpoint = openCheckpoint(model);
  const tokenizer = openTokenizer(model);
  const rows = (positionals.length > 0 ? positionals : usualTexts).map((text) => tokenizer.encode(text));
  const work = mkdtempSync(join(tmpdir(), "nullspace-peft-"));
  try {
    const ids = join(work, "ids.json");
    writeFileSync(ids, JSON.stringify(rows));
    const ask = async (name: string, args: string[]): Promise<Float32Array[]> => {
      const out = join(work, `${name}.safetensors`);
      await runPeer(env.python, "peft_logits.py", ["--model", model, "--ids", ids, "--out", out, ...args], (line) => console.error(line));
      const file = openSafetensors(out);
      return rows.map((_, i) => file.f32(`logits.${i}`));
    };
    const theirs = { base: await ask("base", []), tuned: await ask("tuned", ["--adapter", adapterFolder]) };
    const adapter = readPeftAdapter(adapterFolder, checkpoint);
    const ours = { base: await forcedLogits(checkpoint, [], rows), tuned: await forcedLogits(checkpoint, [adapter], rows) };
    const V = checkpoint.config.vocabulary;
    const base = compare(ours.base, theirs.base, V);
    const tuned = compare(ours.tuned, theirs.tuned, V);
    // What the adapter does at all: agreement says nothing where it does nothing.
    const effect = compare(ours.tuned, theirs.base, V);
    const isEqual = base.worst <= tolerance && tuned.worst <= tolerance;
    console.log(JSON.stringify({ isEqual, tolerance, worst: { base: base.worst, tuned: tuned.worst }, adapterEffect: effect.worst, places: tuned.places }));
    return isEqual ? 0 : 1;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Our logits from the middle of each row to its end: prefill up to there, then one forced token after the other. */
async function forcedLogits(checkpoint: Checkpoint, adapters: PeftAdapter[], rows: number[][]): Promise<Map<number, Float32Array>[]> {
  const answerer = await createAnswerer({ checkpoint, maxLength: Math.max(...rows.map((ids) => ids.length)) + 1 });
  const options = adapters.length > 0 ? { adapters: adapterFeeds(checkpoint.config, adapters) } : {};
  const found: Map<number, Float32Array>[] = [];
  for (const ids of rows) {
    const known = Math.ceil(ids.length / 2);
    const logitsAt = new Map<number, Float32Array>();
    const begun = await answerer.begin([{ ids: ids.slice(0, known), adapter: adapters.length > 0 ? 0 : null }], options);
    await begun.generate({
      maxNewTokens: ids.length - known + 1,
      eosIds: [],
      choose(_row, logits, soFar) {
        const place = known + soFar.length - 1;
        logitsAt.set(place, logits.slice());
        return ids[place + 1] ?? 0;
      },
    });
    found.push(logitsAt);
  }
  await answerer.release();
  return found;
}

function compare(ours: Map<number, Float32Array>[], theirs: Float32Array[], V: number): Difference {
  let worst = 0;
  let places = 0;
  ours.forEach((row, i) => {
    for (const [place, logits] of row) {
      places += 1;
      logits.forEach((value, v) => (worst = Math.max(worst, Math.abs(value - theirs[i]![place * V + v]!))));
    }
  });
  return { worst, places };
}

if (import.meta.main) process.exitCode = await main();
