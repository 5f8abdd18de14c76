// Logits and greedy tokens of SmolLM2 against transformers.

import { describe, expect } from "vitest";
import { createAnswerer } from "../../native-models/answering/answerer.ts";
import { openCheckpoint } from "../../native-models/checkpoint/checkpoint.ts";
import { openSafetensors } from "../../native-models/checkpoint/safetensors.ts";
import { buildAnswerProgram } from "../../native-models/programs/answer-program.ts";
import { adapterFeeds } from "../../native-models/answering/adapter-feeds.ts";
import { KeyValueCache } from "../../native-models/answering/cache.ts";
import { forwardOver } from "../../native-models/answering/forward.ts";
import { noPrefix } from "../../native-models/answering/prefix.ts";
import { openSession } from "../../native-models/runtime/session.ts";
import { goldenFile, goldenTest, realModel } from "../support/shared-paths.ts";

const prompts = [0, 1, 2];

describe("SmolLM2's forward pass", () => {
  goldenTest("last logits of each prompt are within 2e-3 of transformers', and log-sums at every token", async () => {
    const golden = openSafetensors(goldenFile("forward.safetensors"));
    const checkpoint = openCheckpoint(realModel());
    const session = await openSession(buildAnswerProgram(checkpoint, { maxLength: 64, hasAdapters: false }), { weightsFolder: checkpoint.weights.folder });
    const { config } = checkpoint;
    const forward = forwardOver(session, config);
    let [worstLogit, worstSum] = [0, 0];
    for (const i of prompts) {
      const ids = Array.from(golden.i32(`forward.${i}.input_ids`));
      const found = await forward({
        cache: new KeyValueCache(config, 1),
        prefix: noPrefix(config),
        rows: [{ adapter: null, slot: 0, length: 0 }],
        news: [ids],
        wanted: ids.map((_, at) => ({ row: 0, at, target: 0 })),
        adapters: adapterFeeds(config, []),
        needsLogits: true,
      });
      golden.f32(`forward.${i}.logits_last`).forEach((expected, v) => (worstLogit = Math.max(worstLogit, Math.abs(expected - found.at(-1)!.logits![v]))));
      golden.f32(`forward.${i}.logsumexp`).forEach((expected, t) => (worstSum = Math.max(worstSum, Math.abs(expected - (found[t].logits![0] - found[t].logLikelihood)))));
    }
    console.log(`forward: worst logit difference ${worstLogit.toExponential(1)}, log-sum ${worstSum.toExponential(1)}`);
    expect(worstLogit).toBeLessThan(2e-3);
    expect(worstSum).toBeLessThan(2e-3);
  });

  goldenTest("40 greedy tokens of each prompt equal transformers', all prompts in one batch of unequal lengths", async () => {
    const golden = openSafetensors(goldenFile("forward.safetensors"));
    const checkpoint = openCheckpoint(realModel());
    const answerer = await createAnswerer({ checkpoint, maxLength: 128 });
    const begun = await answerer.begin(prompts.map((i) => ({ ids: Array.from(golden.i32(`forward.${i}.input_ids`)), adapter: null })));
    const generated = await begun.generate({ maxNewTokens: 40, eosIds: checkpoint.config.eosIds });
    prompts.forEach((i) => {
      const prompt = golden.i32(`forward.${i}.input_ids`);
      const expected = Array.from(golden.i32(`generate.${i}.ids`).subarray(prompt.length)); // transformers gives the prompt back
      const end = expected.findIndex((id) => checkpoint.config.eosIds.includes(id));
      expect(generated[i].ids).toEqual(end < 0 ? expected : expected.slice(0, end));
      expect(generated[i].stopped).toBe(end < 0 ? "length" : "eos");
    });
  });
});
