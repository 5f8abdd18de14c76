// The work of one run: its stages in order, each found again where the same was done before. Out: rows and notes in the
// store, files in the run's folder. Every way out of here leaves the row as done, failed or cancelled; a process that
// dies leaves it to membership.ts.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../native-models/errors.ts";
import type { Emit, JobEvent } from "../engine/events.ts";
import type { CalibrateResult, CalibrateTaskResult, JobResult, TrainResult } from "../engine/job-results.ts";
import type { RetentionBase, TrainJob } from "../engine/train-jobs.ts";
import type { Deps } from "./deps.ts";
import { JobCancelled, JobFailure, resultOrThrow, storedError } from "./job-failure.ts";
import type { ProbeStart } from "./params/probes.ts";
import { defaults } from "./params/defaults.ts";
import { gramNeeds, readsKnowledge, readsTask } from "./params/methods.ts";
import type { Probes } from "./probes.ts";
import { retentionOf } from "./retention-settings.ts";
import { recordRun, type RunRecord } from "./run-record.ts";
import type { RunConfig, Stage } from "./shapes/runs.ts";
import { contentHash, stageKey, tokenizerHash } from "./stage-keys.ts";
import { copyInPlace, type StageDone, type Stages } from "./stages.ts";
import { readTrainKey, trainKey, writeTrainKey } from "./train-key.ts";
import { validationOf } from "./validation-settings.ts";

interface StageEnd {
  output: string;
  result: JobResult;
  isReused: boolean;
}

interface Work {
  id: number;
  /** Name under which this process has the run. */
  owner: string;
  config: RunConfig;
  folder: string;
  record: RunRecord;
  signal: AbortSignal;
  /** What earlier stages gave. */
  grams: { path: string; key: string } | null;
  taskGrams: { path: string; key: string } | null;
  start: { path: string; key: string } | null;
}

/** What is known of the base that retention is measured against, and where it goes once it is. */
interface KnownBase {
  known: RetentionBase[];
  keep(event: Extract<JobEvent, { type: "retention-base" }>): void;
}

/** Why a run is stopped when the app closes: it is then interrupted, not cancelled. */
export const closing = new DOMException("Nullspace is closing", "AbortError");

export function stagesOf(config: RunConfig): Stage[] {
  if (config.kind === "train") return ["train"];
  const stages: Stage[] = gramNeeds[config.method] === "none" ? ["init", "train"] : ["calibrate", "init", "train"];
  if (config.probe !== null) stages.push("probe");
  if (config.taskProbe !== null) stages.push("task-probe");
  return stages;
}

export type RunWork = ReturnType<typeof runWork>;

export function runWork(deps: Deps, stages: Stages, probes: Probes) {
  const { store, engine, readers, changes, membership, now, log } = deps;

  const doStage: Record<Stage, (work: Work) => Promise<StageEnd>> = {
    async calibrate(work) {
      const { model, questions, samples, calibrationLength: length, seed, scaling, method, data, mapping = null, split = null, template, chatTemplate, memoryBytes = null } = full(work.config);
      const settings = { model, samples, length, seed, scaling, memoryBytes, out: null };
      const knowledge = readsKnowledge(method) ? await stages.calibrate({ ...settings, questions }, emitter(work)) : null;
      const task = readsTask(method) ? await stages.calibrateTask({ ...settings, data, mapping, split, template, chatTemplate: chatTemplate ?? null }, emitter(work)) : null;
      work.grams = knowledge && { path: knowledge.result.out, key: knowledge.key };
      work.taskGrams = task && { path: task.result.out, key: task.key };
      return calibrated(knowledge, task);
    },

    async init(work) {
      const { model, method, rank, seed } = full(work.config);
      const { grams, taskGrams } = work;
      const files = { grams: grams?.path ?? null, taskGrams: taskGrams?.path ?? null, ...(grams && { gramsKey: grams.key }), ...(taskGrams && { taskGramsKey: taskGrams.key }) };
      const done = await stages.init({ model, method, rank, seed, out: null, ...files }, emitter(work));
      work.start = { path: done.result.out, key: done.key };
      return { output: done.result.out, ...done };
    },

    async train(work) {
      const { config, folder } = work;
      const start = config.kind === "train" ? { path: config.init, key: await contentHash(config.init, "train: init") } : work.start!;
      const key = await trainKey(config, { model: stages.fingerprintOf(config.model), start: start.key });
      const found = config.kind === "full" ? stages.find<TrainResult>(key) : null;
      if (found !== null) return found.result.out === folder ? { output: found.path, result: found.result, isReused: true } : copyTraining(work, found, key);
      requireSameWork(work, key);
      writeTrainKey(folder, key);
      const result = await trainUntilDone(work, jobOf(work, start.path), await retentionBaseOf(work));
      work.record.close();
      ifOurs(work, () => stages.record(key, "train", result.adapter, { ...result, out: folder }));
      return { output: result.adapter, result, isReused: false };
    },

    probe: (work) => probeStage(work, "knowledge"),
    "task-probe": (work) => probeStage(work, "task"),
  };

  async function probeStage(work: Work, style: "knowledge" | "task"): Promise<StageEnd> {
    const config = full(work.config);
    const asked = style === "knowledge" ? config.probe! : config.taskProbe!;
    const adapter = join(work.folder, "adapter");
    const mapping = style === "task" ? (config.mapping ?? null) : null;
    // The run wrote its template beside the adapter; a training of before may have been found that did not yet.
    const template = readers.adapterNotes(adapter) === null ? config.template : "auto";
    const params: ProbeStart = { ...asked, model: config.model, adapter, style, template, mapping, split: null, width: "float32", batch: defaults.probeBatch, continueStopped: true };
    const done = await probes.withinRun(params, work.id, emitter(work));
    return { output: adapter, ...done };
  }

  function jobOf({ config, folder }: Work, init: string): TrainJob {
    const { model, data, batch, accumulate, length, learningRate, warmupRatio, clipNorm, weightDecay, checkpointEverySteps, recomputed, memoryBytes, seed } = config;
    const template = config.template === "alpaca" ? "alpaca" : "chat"; // auto was resolved when the run was made
    const { mapping = null, split = null, overLong = defaults.overLong, chatTemplate = null } = config; // older runs have none of them
    const epochs = config.steps === null ? (config.epochs ?? defaults.epochs) : null;
    const resume = hasCheckpoints(folder); // also one that the process that worked on the run never heard of
    return {
      kind: "train", model, init, data, mapping, split, template, chatTemplate, overLong, steps: config.steps, epochs, batch, accumulate, length, learningRate,
      warmupRatio, clipNorm, weightDecay, checkpointEverySteps, validation: validationOf(config), retention: retentionOf(config),
      recomputed: recomputed ?? defaults.recomputed, memoryBytes: memoryBytes ?? null, seed, out: folder, resume,
    };
  }

  /** Trains; when the engine process dies after a new checkpoint, goes on from it. */
  async function trainUntilDone(work: Work, job: TrainJob, base: KnownBase): Promise<TrainResult> {
    let from = -1;
    const emit: Emit = (event) => (event.type === "retention-base" ? base.keep(event) : work.record.emit(event));
    for (let spec = job; ; ) {
      if (!spec.resume) startAgain(work);
      try {
        return resultOrThrow(await engine.run({ ...spec, ...(base.known.length > 0 && { knownBases: base.known }) }, { emit, signal: work.signal }));
      } catch (error) {
        const step = error instanceof JobFailure && error.hasDied ? error.lastCheckpointStep : null;
        if (!(error instanceof JobFailure) || step === null || step <= from) throw error;
        from = step;
        work.record.note({ kind: "interrupted", step, text: `${error.parts.what} Training goes on from the checkpoint of step ${step}.` });
        spec = { ...job, resume: true };
      }
    }
  }

  /** What retention is measured against is measured once for the same questions of the same model. */
  async function retentionBaseOf({ config, id, record }: Work): Promise<KnownBase> {
    const retention = retentionOf(config);
    if (retention === null) return { known: [], keep: () => {} };
    const { questions, shots, limit } = retention;
    const key = stageKey("retention-base", {
      model: stages.fingerprintOf(config.model), tokenizer: await tokenizerHash(config.model), questions: await contentHash(questions, "train: retention questions"), shots, limit, seed: config.seed,
    });
    const rows = store.retentionBases.find(key);
    return {
      known: rows.map(({ by, likelihoods }) => ({ by, likelihoods })),
      keep({ base, isKnown }) {
        const from = rows.find(({ by }) => by === base.by);
        if (!isKnown) store.retentionBases.put(key, { ...base, runId: id, measuredMs: now() });
        else if (from !== undefined && from.runId !== id) record.note({ kind: "reused", text: `What the base knows of the retention questions was measured by run ${from.runId}: it was not asked again.` });
      },
    };
  }

  /** Training begins at step 0 though points of an earlier try are there: no checkpoint had been written. */
  function startAgain({ id, record }: Work): void {
    store.runRetentions.removeAfter(id, -1);
    if (store.runs.find(id)?.lastStep === 0) return;
    store.runPoints.removeAfter(id, 0);
    store.runValidations.removeAfter(id, 0);
    record.note({ kind: "resumed", step: 0, text: "Training started again from step 0: no checkpoint had been written." });
  }

  /** The same training was done by an earlier run: its adapter and curve become this run's. */
  function copyTraining({ id, owner, folder, record }: Work, found: { path: string; result: TrainResult }, key: string): StageEnd {
    const from = found.result.out;
    copyInPlace(found.path, join(folder, "adapter"));
    if (existsSync(join(from, "start"))) copyInPlace(join(from, "start"), join(folder, "start"));
    writeTrainKey(folder, key);
    const earlier = store.runs.findByFolder(from);
    if (earlier !== null) {
      ifOurs({ id, owner }, () => {
        store.runPoints.copy(earlier.id, id);
        store.runRows.copy(earlier.id, id);
        store.runValidations.copy(earlier.id, id);
        store.runRetentions.copy(earlier.id, id);
        store.runMemory.copy(earlier.id, id);
      });
    }
    record.note({ kind: "reused", text: `The same training was done before (${earlier === null ? from : `run ${earlier.id}`}): its adapter and curve were copied.` });
    const adapter = join(folder, "adapter");
    return { output: adapter, result: { ...found.result, out: folder, adapter }, isReused: true };
  }

  const hasCheckpoints = (folder: string): boolean => readers.checkpoints(join(folder, "checkpoints")).steps.length > 0;

  /** Writes what a run has come to, unless another process has taken it: then its events were not stored either. */
  function ifOurs({ id, owner }: Pick<Work, "id" | "owner">, write: () => void): void {
    store.together(() => {
      if (store.runs.find(id)?.owner !== owner) throw new JobCancelled();
      write();
    });
  }

  /** A run goes on only with the model, data and settings it began with. */
  function requireSameWork({ folder, id }: Work, key: string): void {
    const before = readTrainKey(folder);
    if (before === null || before === key || !hasCheckpoints(folder)) return;
    throw new UserError({
      what: "The model, the data or the settings have changed since this training began.",
      where: `run ${id}: ${folder}`,
      fix: "Put the files back as they were, or start a new run.",
    });
  }

  async function work(id: number, signal: AbortSignal): Promise<void> {
    const row = store.runs.find(id);
    if (row === null) return;
    const owner = membership.owner();
    const record = recordRun(deps, id, owner);
    const state: Work = { id, owner, config: row.config as RunConfig, folder: row.folder, record, signal, grams: null, taskGrams: null, start: null };
    let stage: Stage | null = null;
    try {
      for (stage of stagesOf(state.config)) {
        if (signal.aborted) throw new JobCancelled();
        if (!store.runs.setStage(id, owner, stage)) return; // lost to another process
        store.runStages.begin(id, stage, now());
        store.runSpans.begin(id, stage, now());
        changes.touch();
        const end = await doStage[stage](state);
        record.close();
        const { output, result, isReused } = end;
        const ended = stage;
        ifOurs(state, () => {
          if (ended === "train") store.runs.setAdapter(id, owner, output);
          store.runSpans.see(id, now());
          store.runStages.end(id, ended, { status: isReused ? "reused" : "done", output, result }, now());
        });
        changes.touch();
      }
      finish("done", null);
    } catch (error) {
      if (error instanceof JobCancelled || (signal.aborted && !(error instanceof JobFailure))) finish(signal.reason === closing ? "interrupted" : "cancelled", null);
      else finish("failed", error);
    }

    function finish(status: "done" | "failed" | "cancelled" | "interrupted", error: unknown): void {
      record.close();
      const parts = error === null ? null : storedError(error);
      if (parts?.isBug) log(`run ${id}, stage ${stage}: ${error instanceof Error ? error.stack : String(error)}\n`);
      store.together(() => {
        if (store.runs.find(id)?.owner === owner) store.runSpans.see(id, now());
        if (store.runs.end(id, owner, status, parts, now()) && status !== "done") store.runStages.stopRunning(id, status, now());
      });
      changes.touch();
    }
  }

  return { work };
}

/** Both texts are one stage. */
function calibrated(knowledge: StageDone<CalibrateResult> | null, task: StageDone<CalibrateTaskResult> | null): StageEnd {
  const done = [knowledge, task].filter((each) => each !== null);
  const sum = (of: (result: CalibrateResult | CalibrateTaskResult) => number): number => done.reduce((total, { result }) => total + of(result), 0);
  const { out } = (knowledge ?? task)!.result;
  const result: CalibrateResult = { kind: "calibrate", out, ...(knowledge && task && { taskOut: task.result.out }), tokens: sum(({ tokens }) => tokens), elapsedMs: sum(({ elapsedMs }) => elapsedMs) };
  return { output: out, result, isReused: done.every(({ isReused }) => isReused) };
}

const emitter = ({ record, signal }: Work) => ({ emit: record.emit, signal });

function full(config: RunConfig): Extract<RunConfig, { kind: "full" }> {
  if (config.kind !== "full") throw new Error("Only a full run has this stage");
  return config;
}
