// A conversation, answered by every column in one batch; the texts stream as they grow. Columns share the prompt; what
// was answered before is each one's own, and the keys and values of it are still there from the turn before.

import type { Generated } from "../../../native-models/answering/answerer.ts";
import { chooseToken, type Sampling } from "../../../native-models/answering/sampling.ts";
import { seededRandom } from "../../../native-models/data/random.ts";
import type { Emit } from "../events.ts";
import type { AskJob } from "../answer-jobs.ts";
import type { AskResult } from "../job-results.ts";
import { columnPrompts } from "./column-prompts.ts";
import { streamText } from "./stream-text.ts";
import { holdRows, takeHeld, warmAnswerer } from "./warm-answerer.ts";

export async function runAsk(spec: AskJob, emit: Emit, signal: AbortSignal): Promise<AskResult> {
  const started = performance.now();
  const warm = await warmAnswerer(spec.model, { weights: spec.weights, emit, signal });
  const { answerer } = warm;
  const { rows, adapters, prompts, tokenizer } = columnPrompts(warm, spec);
  const begun = await answerer.begin(rows, { adapters, held: takeHeld(adapters), signal });
  const streams = rows.map(() => streamText(tokenizer));
  const decodeStarted = performance.now();
  let generated: Generated[];
  try {
    generated = await begun.generate({
      maxNewTokens: spec.sampling.maxNewTokens,
      eosIds: answerer.checkpoint.config.eosIds,
      ...(isGreedy(spec.sampling) ? {} : { choose: sampler(spec.sampling, rows.map(({ ids }) => ids)) }),
      onToken(column, id) {
        emit({ type: "token", column, id, text: streams[column].add(id) });
        return false;
      },
      onEnd: (column, stopped) => emit({ type: "column-ended", column, stopped: endOf(stopped) }),
      signal,
    });
  } finally {
    holdRows(adapters, begun.held()); // also of answers that are stopped: the next turn follows them
  }

  const decodeMs = performance.now() - decodeStarted;
  const tokens = generated.reduce((sum, { ids }) => sum + ids.length, 0);
  return {
    kind: "ask",
    prompt: prompts[0],
    answers: generated.map(({ ids, stopped }) => ({ text: tokenizer.decode(ids), ids, stopped: endOf(stopped) })),
    tokensPerSecond: decodeMs > 0 ? (tokens / decodeMs) * 1000 : 0,
    elapsedMs: performance.now() - started,
  };
}

function endOf(stopped: Generated["stopped"]): "eos" | "length" {
  return stopped === "eos" ? "eos" : "length"; // nothing else ends an answer here
}

function isGreedy({ temperature, repetitionPenalty }: Sampling): boolean {
  return temperature === 0 && repetitionPenalty === 1;
}

/** Every column draws from the same random numbers, so that equal models give equal answers. */
function sampler(sampling: AskJob["sampling"], prompts: readonly (readonly number[])[]) {
  const randoms = prompts.map(() => seededRandom(sampling.seed));
  return (row: number, logits: Float32Array, own: readonly number[]): number => chooseToken(logits, both(prompts[row], own), sampling, randoms[row]);
}

/** One after the other, walked only where a repetition penalty asks what was seen. */
function* both(first: readonly number[], second: readonly number[]): Generator<number> {
  yield* first;
  yield* second;
}
