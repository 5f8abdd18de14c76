// Which weights answers are computed with: as they are, or rounded to integers where a measurement on this machine speaks
// for them. The measurement is made once for a model and width, before the first answer.

import { join } from "node:path";
import type { WeightSettings } from "../engine/answer-jobs.ts";
import type { Deps } from "./deps.ts";
import type { Home } from "./home.ts";
import { JobFailure, resultOrThrow } from "./job-failure.ts";
import type { Sampling } from "./params/chats.ts";
import type { ErrorParts } from "../../native-models/errors.ts";
import type { ProgressEvent } from "../engine/events.ts";
import type { WeightsView } from "./shapes/chats.ts";
import type { Stages } from "./stages.ts";
import { samplesFolder } from "./system.ts";

/** Where rounded weights are kept. */
export function roundedWeights(home: Home): string {
  return join(home.cache, "rounded-weights");
}

/** Settings for answers with weights of a width. */
export function weightSettings(home: Home, width: WeightSettings["width"]): WeightSettings {
  return { width, cache: roundedWeights(home), samples: samplesFolder() };
}

/** What is tried where the choice is left to the app. */
const tried = "int8";

export interface Choosing {
  onProgress(progress: ProgressEvent): void;
  onWarning(warning: ErrorParts): void;
  signal: AbortSignal;
}

export type Weights = ReturnType<typeof weightsChoice>;

export function weightsChoice({ engine, readers, home }: Pick<Deps, "engine" | "readers" | "home">, stages: Pick<Stages, "fingerprintOf">) {
  const cache = roundedWeights(home);
  const asTheyAre = { settings: weightSettings(home, "float32"), view: viewOf("float32", null) };

  async function measured(model: string, width: "int8" | "int4", { onProgress, signal }: Choosing) {
    const known = readers.measuredWidth(stages.fingerprintOf(model), cache, width);
    if (known !== null) return known;
    const job = { kind: "measure-width" as const, model, width, cache, samples: samplesFolder(), questions: join(samplesFolder(), "world-knowledge.probe.jsonl") };
    return resultOrThrow(await engine.run(job, { signal, emit: (event) => void (event.type === "progress" && onProgress(event)) })).measured;
  }

  return {
    cache,
    /** For answers of a model. */
    async choose(model: string, wanted: Sampling["width"] | undefined, choosing: Choosing): Promise<{ settings: WeightSettings; view: WeightsView }> {
      if (wanted === "float32" || wanted === undefined) return asTheyAre; // answers of before rounding was there
      const width = wanted === "auto" ? tried : wanted;
      try {
        const found = await measured(model, width, choosing);
        if (wanted === "auto" && !readers.isWorthIt(found)) return { ...asTheyAre, view: viewOf("float32", found) };
        return { settings: weightSettings(home, width), view: viewOf(width, found) };
      } catch (error) {
        // A disk without room is no reason to give no answer, unless rounded weights were asked for.
        if (wanted !== "auto" || !(error instanceof JobFailure) || error.parts.isBug) throw error;
        choosing.onWarning({ ...error.parts, what: `${error.parts.what} The weights are used as they are.` });
        return asTheyAre;
      }
    },
  };
}

const bitsOf = { float32: 32, int8: 8, int4: 4 } as const;

function viewOf(width: WeightsView["width"], measured: WeightsView["measured"]): WeightsView {
  if (measured === null) return { width, measured, words: "Answers computed with the weights as they are." };
  const { lossNats, float32LossNats, tokensPerSecond, float32TokensPerSecond, questions, textTokens } = measured;
  const losses = `loss on ${questions} questions of the probe set ${lossNats.toFixed(3)} against ${float32LossNats.toFixed(3)} nats/token`;
  const speed = `${(tokensPerSecond / float32TokensPerSecond).toFixed(1)}× as fast`;
  if (width === "float32") return { width, measured, words: `Answers computed with the weights as they are: ${bitsOf[measured.width]}-bit ones are ${speed}, with a ${losses}.` };
  return { width, measured, words: `Answers computed with ${bitsOf[width]}-bit weights${textTokens > 0 ? `, rounded by ${textTokens} tokens of sample text` : ""}: ${speed}; ${losses}.` };
}
