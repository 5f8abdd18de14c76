// Logits and greedy tokens of SmolLM2 against transformers.

import { describe, expect } from "vitest";
import { createAnswerer } from "../../native-models/answering/answerer.ts";
import { openCheckpoint } from "../../native-models/checkpoint/checkpoint.ts";
import { openSafetensors } from "../../native-models/checkpoint/safetensors.ts";
import { buildAnswerProgram } from "../../native-models/programs/answer-program.ts";
import { KeyValueCache } from "../../native-models/answering/cache.ts";
import { visibility } from "../../native-models/answering/forward.ts";
import { packRows } from "../../native-models/programs/packed-rows.ts";
import { i64, openSession } from "../../native-models/runtime/session.ts";
import { goldenFile, goldenTest, realModel } from "../support/shared-paths.ts";

const prompts = [0, 1, 2];

describe("SmolLM2's forward pass", () => {
  goldenTest("last logits of each prompt are within 2e-3 of transformers', and log-sums at every token", async () => {
    const golden = openSafetensors(goldenFile("forward.safetensors"));
    const checkpoint = openCheckpoint(realModel());
    const session = await openSession(buildAnswerProgram(checkpoint, { maxLength: 64, hasAdapters: false }), { weightsFolder: checkpoint.weights.folder });
    let [worstLogit, worstSum] = [0, 0];
    for (const i of prompts) {
      const ids = golden.i32(`forward.${i}.input_ids`);
      const packed = packRows([ids]);
      const ownIds = Array.from(ids);
      const everyPlace = Array.from(ids, (_, t) => t);
      const outputs = await session.run(
        {
          ...packed.feeds,
          ...new KeyValueCache(checkpoint.config, 1).past(0, 1, true),
          mask: visibility([0], [ownIds], 0, ids.length, checkpoint.config.heads / checkpoint.config.kvHeads),
          parts: i64([0, ids.length], 2),
          picked: i64(everyPlace, ids.length),
          scored: i64(everyPlace, ids.length),
          targets: i64(everyPlace.map(() => 0), ids.length, 1),
        },
        { only: ["logits", "logLikelihood"] },
      );
      const V = checkpoint.config.vocabulary;
      const logits = outputs.logits.data as Float32Array;
      golden.f32(`forward.${i}.logits_last`).forEach((expected, v) => (worstLogit = Math.max(worstLogit, Math.abs(expected - logits[(ids.length - 1) * V + v]))));
      golden.f32(`forward.${i}.logsumexp`).forEach((expected, t) => (worstSum = Math.max(worstSum, Math.abs(expected - (logits[t * V] - (outputs.logLikelihood.data[t] as number))))));
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
