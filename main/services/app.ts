// The app without a face: the store, the engine and the services over them. The command line, the server and the Electron
// shell each open one; several may be open on one store.

import { openStore } from "../db/store.ts";
import { startEngine, type Engine, type EngineOptions } from "../engine/host.ts";
import { readers as nativeReaders, type Readers } from "../engine/readers.ts";
import { askService } from "./ask.ts";
import { watchChanges } from "./changes.ts";
import { cacheService } from "./cache.ts";
import { chatsService } from "./chats.ts";
import { dataService } from "./data.ts";
import { demoService } from "./demo.ts";
import type { Deps } from "./deps.ts";
import { filesService } from "./files.ts";
import { homeFolder, prepareHome } from "./home.ts";
import { openLog } from "./log.ts";
import { joinStore } from "./membership.ts";
import { memoryService } from "./memory.ts";
import { modelsService } from "./models.ts";
import { probesService } from "./probes.ts";
import { rowPreviews } from "./row-previews.ts";
import { runWork } from "./run-work.ts";
import { runsService } from "./runs.ts";
import { sampleModelService } from "./sample-model.ts";
import { settingsService } from "./settings.ts";
import { startReportsService } from "./start-reports.ts";
import { stageWork, stagesService } from "./stages.ts";
import { subjectsOf } from "./subjects.ts";
import { systemInfo } from "./system.ts";
import { votesService } from "./votes.ts";
import { weightsChoice } from "./weights.ts";

export interface AppOptions {
  /** Folder of the store; default: NULLSPACE_HOME or the system's place. */
  home?: string;
  /** Settings of the engine (launcher of Electron, …), or an engine of one's own. */
  engine?: EngineOptions | Engine;
  readers?: Readers;
  now?: () => number;
  /** Time between looks for another process's changes. */
  pollMs?: number;
}

export type App = ReturnType<typeof openApp>;
export type Services = App["services"];

export function openApp(options: AppOptions = {}) {
  const home = prepareHome(options.home ?? homeFolder(process.env));
  const log = openLog(home.logs);
  const store = openStore(home.database);
  const now = options.now ?? Date.now;
  const changes = watchChanges(store, options.pollMs === undefined ? {} : { pollMs: options.pollMs });
  const membership = joinStore({ store, changes, now });
  const given = options.engine ?? {};
  const engine = "run" in given ? given : startEngine({ log, ...given });
  const deps: Deps = { store, engine, readers: options.readers ?? nativeReaders, changes, membership, home, now, log };

  membership.sweep();
  const stages = stageWork(deps);
  const subjects = subjectsOf(deps);
  const weights = weightsChoice(deps, stages);
  const probes = probesService(deps, stages, subjects);
  const runs = runsService(deps, stages, runWork(deps, stages, probes));
  const models = modelsService(deps);
  const rows = rowPreviews(deps);

  const startReports = startReportsService(deps, stages);
  const services = {
    models,
    sampleModel: sampleModelService(deps, models),
    demo: demoService(runs),
    data: dataService(deps, rows),
    runs: { ...runs, estimate: memoryService(deps, stages, rows).estimate, startReport: startReports.ofRun },
    stages: { ...stagesService(stages), train: runs.train, report: startReports.report },
    probe: probes,
    chats: { ...chatsService(deps, subjects), ...askService(deps, stages, subjects, weights), votes: votesService(deps) },
    files: filesService(deps),
    cache: cacheService(deps),
    settings: settingsService(deps),
    system: { info: () => systemInfo(home.folder) },
  };

  let closing: Promise<void> | null = null;
  return {
    services,
    home,
    log,
    /** Stops the work (runs stay as interrupted and can be resumed) and closes everything. */
    close(): Promise<void> {
      closing ??= (async () => {
        await runs.close();
        await engine.close();
        await probes.settled();
        await models.close();
        changes.close();
        membership.close();
        store.close();
      })();
      return closing;
    },
  };
}
