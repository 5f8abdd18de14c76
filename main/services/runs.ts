// Runs: made, queued, worked on one at a time, followed, cancelled, resumed, deleted. Several processes may share the
// store: each works on the runs it made, only one run works at a time, and a cancel crosses processes through the row.

import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync } from "node:fs";
import { basename, join, sep } from "node:path";
import { createHash } from "node:crypto";
import { UserError } from "../../native-models/errors.ts";
import type { RunRow } from "../db/runs.ts";
import type { Deps } from "./deps.ts";
import { readsKnowledge } from "./params/methods.ts";
import type { RunSettings } from "./params/runs.ts";
import type { TrainSettings } from "./params/training.ts";
import { requireKnownRows, requireLikeRows } from "./known-rows.ts";
import { absolute, requireThere } from "./paths.ts";
import { askingOf } from "./probe-asking.ts";
import { otherQuestions, settledRetention } from "./retention-settings.ts";
import { followRun } from "./run-follow.ts";
import { runDetail, runSummary } from "./run-views.ts";
import { closing, stagesOf, type RunWork } from "./run-work.ts";
import type { RunConfig, RunDetail, RunSummary } from "./shapes/runs.ts";
import type { TrainPoint } from "../engine/events.ts";
import type { Stages } from "./stages.ts";
import { chooseTemplate } from "./template.ts";

/** What training writes into a folder: deleting a run whose folder the user chose takes these and nothing else. */
const ownParts = ["checkpoints", "adapter", "start", "run.json"];

export type Runs = ReturnType<typeof runsService>;

export function runsService(deps: Deps, stages: Stages, runWork: RunWork) {
  const { store, changes, membership, home, readers, now, log } = deps;
  let working: { id: number; controller: AbortController; ended: Promise<void> } | null = null;
  let isClosed = false;

  membership.onTick(() => {
    for (const id of store.runs.cancelWanted(membership.owner())) stop(id);
    pump();
  });
  membership.onLost(() => working?.controller.abort());
  clearDeleted(home.runs, log);

  /** Starts this process's oldest queued run, unless any run works. */
  function pump(): void {
    if (working !== null || isClosed) return;
    const id = store.runs.nextQueued(membership.owner());
    if (id === null || !store.runs.claim(id, membership.owner(), now())) return;
    const controller = new AbortController();
    const ended = runWork.work(id, controller.signal).finally(() => {
      working = null;
      if (!isClosed) pump();
    });
    working = { id, controller, ended };
    changes.touch();
  }

  /** Stops a run of this process: the one that works, or one that waits. */
  function stop(id: number): void {
    if (working?.id === id) return working.controller.abort();
    if (store.runs.end(id, membership.owner(), "cancelled", null, now())) changes.touch();
  }

  function mustFind(id: number): RunRow {
    const row = store.runs.find(id);
    if (row === null) throw new UserError({ what: `There is no run ${id}.`, where: "runs: id", fix: "runs list shows those that are there." });
    return row;
  }

  function insert(name: string | null, config: RunConfig, folderOf: (id: number) => string): number {
    const modelName = basename(config.model);
    const id = store.runs.insert(
      {
        name: name ?? `${modelName} · ${basename(config.data)}`,
        kind: config.kind,
        config,
        configKey: configKey(config),
        modelPath: config.model,
        modelName,
        owner: membership.owner(),
        createdMs: now(),
      },
      (newId) => {
        const folder = folderOf(newId);
        mkdirSync(folder, { recursive: true });
        return folder;
      },
    );
    store.runStages.plan(id, stagesOf(config));
    changes.touch();
    pump();
    return id;
  }

  function requeue(row: RunRow, config: RunConfig): { id: number } {
    if (!store.runs.requeue(row.id, membership.owner(), config)) {
      throw new UserError({
        what: `Run ${row.id} is ${row.status}: there is nothing to resume.`,
        where: "runs.resume: id",
        fix: row.status === "done" ? "Start a new run for more training." : "Wait for it, or cancel it first.",
      });
    }
    changes.touch();
    pump();
    return { id: row.id };
  }

  async function checked<T extends RunSettings | TrainSettings>(settings: T, where: string): Promise<{ given: T; chatTemplate: string | null }> {
    const model = absolute(settings.model);
    stages.describe(model);
    const data = absolute(settings.data);
    requireThere(data, `${where}: data`);
    if (settings.steps !== null && settings.epochs !== null) {
      throw new UserError({
        what: `Both steps (${settings.steps}) and epochs (${settings.epochs}) are given.`,
        where: `${where}: steps, epochs`,
        fix: "Give one of the two.",
      });
    }
    const { template, chatTemplate } = chooseTemplate(readers, model, settings.template);
    await requireKnownRows(readers, data, settings, `${where}: data`);
    const validation = settings.validation?.data ?? null;
    if (validation !== null) await requireLikeRows(readers, absolute(validation), settings.mapping, `${where}: validation.data`);
    return { given: { ...settings, model, data, template }, chatTemplate };
  }

  /** Its files are there and read as its task needs them: a probe comes after hours of training. */
  async function checkedProbe(probe: RunSettings["probe"], style: "knowledge" | "task", name: "probe" | "taskProbe"): Promise<RunSettings["probe"]> {
    if (probe === null) return null;
    const questions = absolute(probe.questions);
    const shotsFrom = probe.shotsFrom && absolute(probe.shotsFrom);
    requireThere(questions, `runs.start: ${name}.questions`);
    if (shotsFrom) requireThere(shotsFrom, `runs.start: ${name}.shotsFrom`);
    await readers.readProbeHead({ ...askingOf({ ...probe, style }), style, questions, shotsFrom });
    return { ...probe, questions, shotsFrom };
  }

  return {
    /** All stages. The row and its folder are written before the first step. */
    async start(settings: RunSettings): Promise<{ id: number }> {
      const { given: { continueStopped, ...given }, chatTemplate } = await checked(settings, "runs.start");
      const config: RunConfig = {
        kind: "full",
        ...given,
        chatTemplate,
        continueStopped: false,
        questions: absolute(given.questions),
        retention: await settledRetention(readers, given, otherQuestions(given), "runs.start"),
        probe: await checkedProbe(given.probe, "knowledge", "probe"),
        taskProbe: await checkedProbe(given.taskProbe, "task", "taskProbe"),
      };
      if (readsKnowledge(config.method)) requireThere(config.questions, "runs.start: questions");
      if (config.taskProbe !== null && !config.taskProbe.task) await requireLikeRows(readers, config.taskProbe.questions, config.mapping, "runs.start: taskProbe.questions");
      stages.requireRankFits(config.model, config.rank);
      const { kind: _, chatTemplate: __, ...lastRun } = config;
      store.settings.set("lastRun", lastRun);
      const before = continueStopped ? store.runs.findStopped(configKey(config)) : null;
      if (before !== null) return requeue(before, config);
      return { id: insert(given.name, config, (id) => join(home.runs, String(id))) };
    },

    /** Training alone into a folder of the user's choice. */
    async train(settings: TrainSettings): Promise<{ id: number }> {
      const { given, chatTemplate } = await checked(settings, "train");
      const config: RunConfig = { kind: "train", ...given, chatTemplate, retention: await settledRetention(readers, given, [], "train"), init: absolute(given.init), out: absolute(given.out) };
      requireThere(config.init, "train: init");
      const before = store.runs.findByFolder(config.out);
      if (config.resume && before !== null) return before.status === "done" ? { id: before.id } : requeue(before, config);
      if (!config.resume && (before !== null || ownParts.some((part) => existsSync(join(config.out, part))))) {
        throw new UserError({
          what: `The folder holds the training of ${before === null ? "an earlier run" : `run ${before.id} (${before.status})`}.`,
          where: `train: out: ${config.out}`,
          fix: "Resume it with --resume, choose another folder, or delete the run first.",
        });
      }
      return { id: insert(given.name, config, () => config.out) };
    },

    list: (limit: number): RunSummary[] => store.runs.newest(limit).map(runSummary),

    async *followList(limit: number, signal?: AbortSignal): AsyncGenerator<RunSummary[]> {
      let shown = "";
      for await (const _ of changes.follow(signal)) {
        const list = store.runs.newest(limit).map(runSummary);
        const text = JSON.stringify(list);
        if (text !== shown) yield list;
        shown = text;
      }
    },

    show: (id: number): RunDetail => runDetail(store, mustFind(id)),

    points({ id, afterStep, limit, most = null }: { id: number; afterStep: number; limit: number; most?: number | null }): TrainPoint[] {
      const { lastStep } = mustFind(id);
      const every = most === null ? 1 : Math.max(1, Math.ceil((lastStep - afterStep) / most));
      return store.runPoints.after(id, afterStep, limit, every);
    },

    follow(params: { id: number; afterStep: number }, signal?: AbortSignal) {
      return followRun(deps, params, signal, mustFind);
    },

    /** Asks the run to stop, also one of another process. It is cancelled once its process has stopped it. */
    cancel(id: number): RunSummary {
      mustFind(id);
      membership.sweep();
      if (store.runs.requestCancel(id)) {
        if (store.runs.find(id)?.owner === membership.owner()) stop(id);
        changes.touch();
      }
      return runSummary(mustFind(id));
    },

    resume(id: number): { id: number } {
      const row = mustFind(id);
      return requeue(row, row.config as RunConfig);
    },

    /** The row with all its rows, then the files. */
    delete(id: number): void {
      membership.sweep();
      const row = mustFind(id);
      if (row.status === "queued" || row.status === "running") {
        throw new UserError({ what: `Run ${id} is ${row.status}.`, where: "runs.delete: id", fix: "Cancel it first." });
      }
      store.runs.remove(id);
      deleteFiles(row.folder, home.runs);
      changes.touch();
    },

    /** Stops the work of this process; its run stays as interrupted and can be resumed. */
    async close(): Promise<void> {
      isClosed = true;
      const current = working;
      if (current === null) return;
      current.controller.abort(closing);
      await current.ended;
    },
  };
}

/** Same settings, same key; the name does not count. */
function configKey({ name: _, ...settings }: RunConfig): string {
  const sorted = (value: unknown): unknown =>
    value === null || typeof value !== "object" ? value : Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, part]) => [key, sorted(part)]);
  return createHash("sha256").update(JSON.stringify(sorted(settings))).digest("hex");
}

function deleteFiles(folder: string, runsFolder: string): void {
  if (folder.startsWith(runsFolder + sep)) {
    const doomed = join(runsFolder, `.deleted-${basename(folder)}`);
    if (existsSync(folder)) renameSync(folder, doomed);
    rmSync(doomed, { recursive: true, force: true });
    return;
  }
  for (const part of ownParts) rmSync(join(folder, part), { recursive: true, force: true });
  if (existsSync(folder) && readdirSync(folder).length === 0) rmdirSync(folder);
}

/** Finishes deletes that a crash cut short. */
function clearDeleted(runsFolder: string, log: (text: string) => void): void {
  for (const name of readdirSync(runsFolder)) {
    if (!name.startsWith(".deleted-")) continue;
    try {
      rmSync(join(runsFolder, name), { recursive: true, force: true });
    } catch (error) {
      log(`${name} could not be removed: ${String(error)}\n`);
    }
  }
}
