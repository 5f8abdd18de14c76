// The sample model: fetched once into the store, in a folder that is watched like any other.

import { join } from "node:path";
import { UserError } from "../../native-models/errors.ts";
import type { Deps } from "./deps.ts";
import { resultOrThrow } from "./job-failure.ts";
import { jobStream } from "./job-stream.ts";
import type { modelsService } from "./models.ts";
import type { SampleModelEvent } from "./shapes/models.ts";

const folderName = "SmolLM2-135M-Instruct";

export function sampleModelService({ engine, home }: Pick<Deps, "engine" | "home">, models: ReturnType<typeof modelsService>) {
  // Two at once would write the same files.
  let current: { ended: Promise<unknown>; signal: AbortSignal } | null = null;

  return {
    fetch(callerSignal?: AbortSignal): AsyncGenerator<SampleModelEvent> {
      return jobStream<SampleModelEvent>(async (push, signal) => {
        const out = join(home.folder, "models", folderName);
        if (current?.signal.aborted) await current.ended; // it was cancelled and is about to stop
        if (current !== null) throw new UserError({ what: "The sample model is being fetched already.", where: out, fix: "Wait for it, or cancel it in the window where it was started." });
        const running = engine
          .run({ kind: "sample-model", out }, { emit: (event) => event.type === "progress" && push({ type: "progress", progress: event }), signal })
          .finally(() => (current = null));
        current = { ended: running, signal };
        const ended = await running;
        const { source } = resultOrThrow(ended);
        await models.addFolder(join(home.folder, "models"));
        const model = (await models.list()).models.find(({ path }) => path === out);
        if (model === undefined) throw new UserError({ what: "The sample model was fetched and is gone again.", where: out, fix: "Fetch it again." });
        push({ type: "done", model, source });
      }, callerSignal);
    },
  };
}
