// Looks at training rows by the engine: the beginning of a file at once, then counts as they grow. The last full count is
// kept, so that turning pages, coming back to the page and estimating memory need no new one.

import type { CountRowsJob, RowSettings } from "../engine/train-jobs.ts";
import type { CountRowsResult, RowsHead } from "../engine/job-results.ts";
import type { Deps } from "./deps.ts";
import { resultOrThrow } from "./job-failure.ts";
import { jobStream } from "./job-stream.ts";
import type { PreviewRows } from "./params/data.ts";
import { absolute, requireThere } from "./paths.ts";
import type { RowsPreviewEvent } from "./shapes/data.ts";
import { fileStamp } from "./stage-keys.ts";
import { chooseTemplate } from "./template.ts";

type Counted = NonNullable<CountRowsResult["counted"]>;

export type RowPreviews = ReturnType<typeof rowPreviews>;

export function rowPreviews({ readers, engine }: Pick<Deps, "readers" | "engine">) {
  let last: { key: string; counted: Counted } | null = null;

  function settingsOf(params: Omit<PreviewRows, "offset" | "limit">): { model: string } & RowSettings {
    const [data, model] = [absolute(params.path), absolute(params.model)];
    requireThere(data, "data.previewRows: path");
    const { mapping, split, length, overLong } = params;
    const { template, chatTemplate } = chooseTemplate(readers, model, params.template);
    return { model, data, mapping, split, length, overLong, template, chatTemplate };
  }

  const keyOf = (settings: { model: string } & RowSettings): string => JSON.stringify([settings, fileStamp(settings.data), fileStamp(`${settings.model}/tokenizer.json`)]);

  async function look(settings: { model: string } & RowSettings, range: { offset: number; limit: number }, push: (event: RowsPreviewEvent) => void, signal: AbortSignal): Promise<Counted | null> {
    const key = keyOf(settings);
    const known = last?.key === key ? last.counted : null;
    const job: CountRowsJob = { kind: "count-rows", ...settings, ...range, isCountWanted: known === null };
    let head: RowsHead | null = null;
    const ended = await engine.run(job, {
      signal,
      emit(event) {
        if (event.type === "rows-head") push({ type: "head", head: (head = event.head) });
        else if (event.type === "progress") push({ type: "progress", progress: event });
        else if (event.type === "rows-account") push({ type: "counts", account: event.account });
      },
    });
    const { counted } = resultOrThrow(ended);
    if (counted !== null) last = { key, counted };
    return (head as RowsHead | null)?.problem === null ? (counted ?? known) : null;
  }

  return {
    preview({ offset, limit, ...params }: PreviewRows, callerSignal?: AbortSignal): AsyncGenerator<RowsPreviewEvent> {
      return jobStream<RowsPreviewEvent>(async (push, signal) => {
        const counted = await look(settingsOf(params), { offset, limit }, push, signal);
        push({ type: "done", account: counted?.account ?? null, refusal: counted?.refusal ?? null });
      }, callerSignal);
    },

    /** Sizes of the kept rows, from the last count where it was of these settings; null where the rows cannot be read so. */
    counted: (params: Omit<PreviewRows, "offset" | "limit">, signal: AbortSignal): Promise<Counted | null> =>
      look(settingsOf(params), { offset: 0, limit: 1 }, () => {}, signal),
  };
}
