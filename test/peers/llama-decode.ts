// llama.cpp's decoding speed through node-llama-cpp, alone in its process: one sequence, greedy, on the CPU.
// In: a folder of node-peers.ts, a GGUF file, tokens, threads (JSON as the first argument). Out: one JSON object.
// Not part of `npm test`.

import { join } from "node:path";
import { pathToFileURL } from "node:url";

interface Settings {
  folder: string;
  gguf: string;
  promptTokens: number;
  newTokens: number;
  threads: number;
  vocabulary: number;
}

/** What of node-llama-cpp is used here; its types are not installed with us. */
interface Sequence {
  clearHistory(): Promise<void>;
  evaluate(tokens: number[], options: { temperature: number }): AsyncGenerator<number>;
}
interface Llama {
  loadModel(options: { modelPath: string }): Promise<{ createContext(options: object): Promise<{ getSequence(): Sequence }> }>;
}

const settings = JSON.parse(process.argv[2] ?? "{}") as Settings;
const { folder, gguf, promptTokens, newTokens, threads, vocabulary } = settings;
const entry = pathToFileURL(join(folder, "node_modules/node-llama-cpp/dist/index.js")).href;
const { getLlama } = (await import(entry)) as { getLlama(options: object): Promise<Llama> };
const llama = await getLlama({ gpu: false, build: "never", progressLogs: false, maxThreads: threads, logLevel: "error" });
const began = performance.now();
const model = await llama.loadModel({ modelPath: gguf });
const context = await model.createContext({ contextSize: promptTokens + newTokens + 8, threads, sequences: 1, flashAttention: true });
const loadSeconds = (performance.now() - began) / 1000;
const sequence = context.getSequence();
const prompt = Array.from({ length: promptTokens }, (_, t) => ((t + 1) * 104_729) % vocabulary);
let [promptSeconds, stepSeconds] = [Infinity, Infinity];
for (let round = 0; round < 3; round++) {
  await sequence.clearHistory();
  const started = performance.now();
  let [tokens, first] = [0, 0];
  for await (const _ of sequence.evaluate(prompt, { temperature: 0 })) {
    if (tokens === 0) first = performance.now();
    tokens += 1;
    if (tokens === newTokens) break;
  }
  promptSeconds = Math.min(promptSeconds, (first - started) / 1000);
  stepSeconds = Math.min(stepSeconds, (performance.now() - first) / 1000 / (tokens - 1));
}
process.stdout.write(`${JSON.stringify({ loadSeconds, promptSeconds, stepSeconds, peakBytes: process.resourceUsage().maxRSS * 1024 })}\n`);
process.exit(0);
