// What rounded weights cost and gain on this machine: the loss on the probe set and the speed of decoding, beside those of
// the weights as they are. Made once for a model and width; runs in a process of its own, which holds both for a moment.

import { createAnswerer, type Answerer } from "../../../native-models/answering/answerer.ts";
import { openCheckpoint } from "../../../native-models/checkpoint/checkpoint.ts";
import { openTokenizer } from "../../../native-models/checkpoint/tokenizer.ts";
import { writeMeasured } from "../../../native-models/quantised/measured.ts";
import { prepareQuantised, type QuantisedModel } from "../../../native-models/quantised/quantised-model.ts";
import { roundingText } from "../../../native-models/quantised/rounding-text.ts";
import type { Emit } from "../events.ts";
import type { MeasureWidthJob } from "../answer-jobs.ts";
import type { MeasureWidthResult } from "../job-results.ts";
import { probeItems } from "./probe-items.ts";
import { trackProgress } from "./progress.ts";
import { roundingProgress } from "./rounding-progress.ts";

const shots = 5;
const questionsAsked = 48;
const rows = 8;
const decodedTokens = 32;

interface Measured {
  lossNats: number;
  tokens: number;
  tokensPerSecond: number;
}

export async function runMeasureWidth({ model, width, cache, samples, questions: file }: MeasureWidthJob, emit: Emit, signal: AbortSignal): Promise<MeasureWidthResult> {
  const started = performance.now();
  const checkpoint = openCheckpoint(model);
  const tokenizer = openTokenizer(model);
  const asking = { kind: "probe", model, adapter: null, questions: file, shots, limit: questionsAsked, batch: rows, maxNewTokens: 0, style: "knowledge", template: "chat" } as const;
  const probed = await probeItems(asking, tokenizer, Infinity, null);
  const items = probed.map(({ promptIds, answerIds }) => ({ ids: promptIds, adapter: null, maxNewTokens: 0, scored: [answerIds] }));
  const quantised = await prepareQuantised({ checkpoint, width, cache, text: () => roundingText(samples, tokenizer, checkpoint.config.maxPositions), onProgress: roundingProgress(emit, width), signal });
  const report = trackProgress({ emit, stage: `Comparing ${width} with float32`, unit: "questions", total: 2 * items.length });
  let done = 0;

  async function measure(weights: QuantisedModel | null): Promise<Measured> {
    const maxLength = Math.max(...items.map(({ ids, scored }) => ids.length + scored[0].length)) + decodedTokens;
    const answerer = await createAnswerer({ checkpoint, maxLength, quantised: weights });
    try {
      const answers = await answerer.answerAll(items, { rows, eosIds: [], signal, onAnswer: () => report((done += 1)) });
      const scores = answers.map(({ continuations }) => continuations[0]);
      const tokens = scores.reduce((sum, each) => sum + each.tokens, 0);
      const lossNats = -scores.reduce((sum, { logLikelihood }) => sum + logLikelihood, 0) / tokens;
      return { lossNats, tokens, tokensPerSecond: await decodeSpeed(answerer, items[0].ids, signal) };
    } finally {
      await answerer.release();
    }
  }

  const float32 = await measure(null);
  const rounded = await measure(quantised);
  const measured = {
    width,
    questions: items.length,
    tokens: rounded.tokens,
    lossNats: rounded.lossNats,
    float32LossNats: float32.lossNats,
    tokensPerSecond: rounded.tokensPerSecond,
    float32TokensPerSecond: float32.tokensPerSecond,
    textTokens: quantised.textTokens,
  };
  writeMeasured(cache, checkpoint.fingerprint, measured);
  return { kind: "measure-width", measured, elapsedMs: performance.now() - started };
}

/** Tokens a second of one row, the better of two rounds: the first one also warms up. */
async function decodeSpeed(answerer: Answerer, ids: readonly number[], signal: AbortSignal): Promise<number> {
  const begun = await answerer.begin([{ ids, adapter: null }], { signal });
  let best = 0;
  for (let round = 0; round < 2; round++) {
    const started = performance.now();
    await begun.generate({ maxNewTokens: decodedTokens, eosIds: [], signal });
    best = Math.max(best, (decodedTokens / (performance.now() - started)) * 1000);
  }
  return best;
}
