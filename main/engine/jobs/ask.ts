// One prompt, answered by every column in one batch; the texts stream as they grow.

import { chooseToken, type Sampling } from "../../../native-models/answering/sampling.ts";
import { encodePrompt, renderPrompt } from "../../../native-models/data/prompt.ts";
import { seededRandom } from "../../../native-models/data/random.ts";
import { UserError } from "../../../native-models/errors.ts";
import type { Emit } from "../events.ts";
import type { AskJob, AskResult } from "../jobs.ts";
import { withTemplate } from "./open-tokenizer.ts";
import { streamText } from "./stream-text.ts";
import { warmAdapters, warmAnswerer } from "./warm-answerer.ts";

export async function runAsk(spec: AskJob, emit: Emit, signal: AbortSignal): Promise<AskResult> {
  const started = performance.now();
  const warm = await warmAnswerer(spec.model);
  const { answerer } = warm;
  const tokenizer = withTemplate(warm.tokenizer, spec.chatTemplate);
  const folders = [...new Set(spec.columns.flatMap(({ adapter }) => (adapter === null ? [] : [adapter])))];
  const adapters = warmAdapters(warm, folders);

  const prompt = renderPrompt(spec.messages, tokenizer, spec.template);
  const ids = encodePrompt(prompt, tokenizer, spec.template);
  if (ids.length === 0 || ids.length >= answerer.maxLength) {
    throw new UserError({
      what: `The conversation has ${ids.length} tokens; the model takes 1 to ${answerer.maxLength - 1}.`,
      where: "ask: messages",
      fix: ids.length === 0 ? "Write a prompt." : "Start a new conversation, or shorten the prompt.",
    });
  }
  const rows = spec.columns.map(({ adapter }) => ({ ids, adapter: adapter === null ? null : folders.indexOf(adapter) }));
  const begun = await answerer.begin(rows, { adapters, signal });
  const streams = spec.columns.map((_, column) => streamText(tokenizer, (text) => emit({ type: "token", column, text })));
  const decodeStarted = performance.now();
  const generated = await begun.generate({
    maxNewTokens: spec.sampling.maxNewTokens,
    eosIds: answerer.checkpoint.config.eosIds,
    ...(isGreedy(spec.sampling) ? {} : { choose: sampler(spec.sampling, ids, rows.length) }),
    onToken(row, _id, own) {
      streams[row].update(own);
      return false;
    },
    signal,
  });
  streams.forEach((stream, column) => stream.finish(generated[column].ids));

  const decodeMs = performance.now() - decodeStarted;
  const tokens = generated.reduce((sum, { ids: own }) => sum + own.length, 0);
  return {
    kind: "ask",
    prompt,
    answers: generated.map((result, i) => ({
      label: spec.columns[i].label,
      text: tokenizer.decode(result.ids),
      tokens: result.ids.length,
      stopped: result.stopped === "eos" ? "eos" : "length",
    })),
    tokensPerSecond: decodeMs > 0 ? (tokens / decodeMs) * 1000 : 0,
    elapsedMs: performance.now() - started,
  };
}

function isGreedy({ temperature, repetitionPenalty }: Sampling): boolean {
  return temperature === 0 && repetitionPenalty === 1;
}

/** Every column draws from the same random numbers, so that equal models give equal answers. */
function sampler(sampling: AskJob["sampling"], prompt: readonly number[], rows: number) {
  const randoms = Array.from({ length: rows }, () => seededRandom(sampling.seed));
  return (row: number, logits: Float32Array, own: readonly number[]): number => chooseToken(logits, both(prompt, own), sampling, randoms[row]);
}

/** One after the other, walked only where a repetition penalty asks what was seen. */
function* both(first: readonly number[], second: readonly number[]): Generator<number> {
  yield* first;
  yield* second;
}
