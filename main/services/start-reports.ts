// What a start looks like: computed once from the start and the Grams that it was made from, then kept in the cache.

import { readFileSync } from "node:fs";
import { UserError } from "../../native-models/errors.ts";
import type { StartReport } from "../../native-models/starts/report.ts";
import type { CalibrateResult, StartReportResult } from "../engine/job-results.ts";
import type { Deps } from "./deps.ts";
import { resultOrThrow } from "./job-failure.ts";
import { jobStream } from "./job-stream.ts";
import { readsKnowledge, readsTask } from "./params/methods.ts";
import type { StartReportStart } from "./params/stages.ts";
import { absolute, requireThere } from "./paths.ts";
import type { RunConfig } from "./shapes/runs.ts";
import type { StartReportEvent } from "./shapes/stages.ts";
import { contentHash, stageKey } from "./stage-keys.ts";
import type { Stages } from "./stages.ts";

export function startReportsService({ store, engine }: Pick<Deps, "store" | "engine">, stages: Stages) {
  function report({ model, init, grams, taskGrams }: StartReportStart, callerSignal?: AbortSignal): AsyncGenerator<StartReportEvent> {
    return jobStream<StartReportEvent>(async (push, signal) => {
      const files = { model: absolute(model), start: absolute(init), grams: grams && absolute(grams), taskGrams: taskGrams && absolute(taskGrams) };
      if (files.grams === null && files.taskGrams === null) {
        throw new UserError({ what: "A report needs a Gram file, of knowledge text or of training prompts.", where: "report: grams", fix: "Give the one that calibrate wrote with --grams, or with --task-grams." });
      }
      for (const [name, path] of Object.entries(files)) if (path !== null) requireThere(path, `report: ${name}`);
      const hash = async (path: string | null): Promise<string | null> => path && stages.keyOfFile(path, "report");
      const key = stageKey("start-report", { model: stages.fingerprintOf(files.model), start: await contentHash(files.start, "report: start"), grams: await hash(files.grams), taskGrams: await hash(files.taskGrams) });
      const done = await stages.foundOrMade<StartReportResult>("start-report", key, { out: null, cached: `start-report-${key.slice(0, 32)}.json` }, async (out) =>
        resultOrThrow(await engine.run({ kind: "start-report", ...files, out }, { emit: (event) => event.type === "progress" && push({ type: "progress", progress: event }), signal })));
      push({ type: "done", report: JSON.parse(readFileSync(done.result.out, "utf8")) as StartReport });
    }, callerSignal);
  }

  return {
    report,
    /** Of a run that has made its start; null where its method reads no text. */
    ofRun(id: number, signal?: AbortSignal): AsyncGenerator<StartReportEvent> {
      const row = store.runs.find(id);
      const config = row?.config as RunConfig | undefined;
      const stageOf = (name: string) => store.runStages.list(id).find(({ stage }) => stage === name);
      const [calibrate, init] = [stageOf("calibrate"), stageOf("init")];
      const calibrated = calibrate?.result as CalibrateResult | null | undefined;
      if (config?.kind !== "full" || !init?.output || !calibrated) {
        throw new UserError({ what: `Run ${id} has no start that was made from calibration text.`, where: "runs.startReport: id", fix: "Look at a run whose method reads text, once its start is made." });
      }
      const grams = readsKnowledge(config.method) ? calibrated.out : null;
      const taskGrams = readsTask(config.method) ? (calibrated.taskOut ?? calibrated.out) : null;
      return report({ model: config.model, init: init.output, grams, taskGrams }, signal);
    },
  };
}
