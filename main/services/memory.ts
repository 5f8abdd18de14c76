// How much memory a training would take, before it is started: its rows are counted (or known from the last preview), then
// a process of the engine compiles the programs and works the plan out.

import type { Deps } from "./deps.ts";
import { resultOrThrow } from "./job-failure.ts";
import type { MemorySettings } from "./params/training.ts";
import type { RunEstimate } from "./shapes/runs.ts";
import { absolute } from "./paths.ts";
import { retentionOf, settledRetention } from "./retention-settings.ts";
import type { RowPreviews } from "./row-previews.ts";
import type { Stages } from "./stages.ts";
import { validationOf } from "./validation-settings.ts";

export function memoryService({ engine, readers }: Pick<Deps, "engine" | "readers">, stages: Stages, rows: RowPreviews) {
  return {
    /** Null where the rows cannot be trained on yet: the preview of the rows says why. */
    async estimate(settings: MemorySettings, callerSignal?: AbortSignal): Promise<RunEstimate | null> {
      const signal = callerSignal ?? new AbortController().signal;
      const model = absolute(settings.model);
      stages.describe(model);
      const counted = await rows.counted({ ...settings, path: settings.data }, signal);
      if (counted === null || counted.refusal !== null) return null;
      const { method, rank, steps, epochs, batch, accumulate, length, recomputed, memoryBytes, seed } = settings;
      const { lengths, trained, shared } = counted;
      const ended = await engine.run(
        {
          kind: "estimate", model, method, rank, lengths, trained, shared, steps, epochs: steps === null ? (epochs ?? 1) : null, batch, accumulate, length,
          validation: validationOf(settings), retention: retentionOf({ retention: await settledRetention(readers, settings, [], "runs.estimate") }), recomputed, memoryBytes, seed,
        },
        { emit: () => {}, signal },
      );
      const { memory: plan, retentionTokens } = resultOrThrow(ended);
      return { ...plan, retentionTokens };
    },
  };
}
