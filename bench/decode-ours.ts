// Our side of the decoding benchmark, alone in its process: one width, rows decoded side by side from one prompt length.
// Each step is one token of every row.

import { join } from "node:path";
import { createAnswerer } from "../native-models/answering/answerer.ts";
import { openCheckpoint } from "../native-models/checkpoint/checkpoint.ts";
import { openTokenizer } from "../native-models/checkpoint/tokenizer.ts";
import type { Width } from "../native-models/quantised/places.ts";
import { prepareQuantised } from "../native-models/quantised/quantised-model.ts";
import { roundingText } from "../native-models/quantised/rounding-text.ts";
import { measureAlone } from "./child.ts";
import { repoRoot } from "./places.ts";

export interface OurDecoding {
  model: string;
  width: Width;
  /** Where rounded weights are kept. */
  cache: string;
  rows: readonly number[];
  promptTokens: number;
  newTokens: number;
  threads: number;
}

export interface DecodeFigures {
  width: Width;
  loadSeconds: number;
  /** By number of rows, fewest first: seconds of a step and of taking in the prompts, the process's peak until then. */
  steps: { rows: number; stepSeconds: number; promptSeconds: number; peakBytes: number }[];
}

/** The fastest counts, on both sides: the first one warms up. */
const decodings = 3;

async function measure({ model, width, cache, rows, promptTokens, newTokens, threads }: OurDecoding): Promise<DecodeFigures> {
  const checkpoint = openCheckpoint(model);
  const quantised = width === "float32" ? null : await prepareQuantised({ checkpoint, width, cache, text: () => roundingText(join(repoRoot, "samples"), openTokenizer(model), checkpoint.config.maxPositions) });
  const began = performance.now();
  const answerer = await createAnswerer({ checkpoint, maxLength: promptTokens + newTokens, quantised, session: { threads } });
  const loadSeconds = (performance.now() - began) / 1000;
  const steps: DecodeFigures["steps"] = [];
  for (const count of [...rows].sort((a, b) => a - b)) {
    const prompts = Array.from({ length: count }, (_, row) => ({ ids: Array.from({ length: promptTokens }, (_unused, t) => ((t + 1) * 104_729 + row * 7919) % checkpoint.config.vocabulary), adapter: null }));
    const started = performance.now();
    const begun = await answerer.begin(prompts);
    const promptSeconds = (performance.now() - started) / 1000;
    let stepSeconds = Infinity;
    for (let round = 0; round < decodings; round++) {
      const decoding = performance.now();
      await begun.generate({ maxNewTokens: newTokens, eosIds: [] });
      stepSeconds = Math.min(stepSeconds, (performance.now() - decoding) / 1000 / (newTokens - 1)); // the first of the new tokens came with the prompt
    }
    steps.push({ rows: count, stepSeconds, promptSeconds, peakBytes: process.resourceUsage().maxRSS * 1024 });
  }
  return { width, loadSeconds, steps };
}

if (import.meta.main) await measureAlone(measure);
