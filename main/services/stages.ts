// Calibrate and init with their outputs found again: the same model, questions and settings are computed once, whoever
// asks (a run, or the stage alone), and a copy is put where it was asked for.

import { cpSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { UserError } from "../../native-models/errors.ts";
import type { Emit } from "../engine/events.ts";
import type { CalibrateResult, CalibrateTaskResult, InitResult, JobResult } from "../engine/job-results.ts";
import type { Deps } from "./deps.ts";
import { resultOrThrow } from "./job-failure.ts";
import { jobStream } from "./job-stream.ts";
import { requireKnownRows } from "./known-rows.ts";
import { readsKnowledge, readsTask } from "./params/methods.ts";
import type { CalibrateStart, CalibrateTaskStart, InitStart } from "./params/stages.ts";
import { absolute, requireThere } from "./paths.ts";
import type { CalibrateEvent, CalibrateTaskEvent, InitEvent, StageEvent } from "./shapes/stages.ts";
import { contentHash, fileStamp, stageKey } from "./stage-keys.ts";
import { chooseTemplate } from "./template.ts";

export interface StageDone<R> {
  key: string;
  result: R;
  isReused: boolean;
}

export interface Working {
  emit: Emit;
  signal: AbortSignal;
}

export type Stages = ReturnType<typeof stageWork>;

export function stageWork({ store, engine, readers, home, now }: Deps) {
  /** The output of the same work, if its files are still as they were written. */
  function find<R extends JobResult>(key: string): { path: string; result: R } | null {
    const row = store.stageOutputs.find(key);
    if (row === null) return null;
    if (fileStamp(row.path) === row.stamp) return { path: row.path, result: row.result as R };
    store.stageOutputs.remove(key);
    return null;
  }

  function record(key: string, stage: string, path: string, result: JobResult): void {
    const stamp = fileStamp(path);
    if (stamp === null) throw new Error(`The ${stage} job is done, but left nothing at ${path}`);
    store.stageOutputs.put({ key, stage, path, stamp, result, createdMs: now() });
  }

  async function calibrate(params: Omit<CalibrateStart, "out"> & { out: string | null }, { emit, signal }: Working): Promise<StageDone<CalibrateResult>> {
    const model = absolute(params.model);
    const questions = absolute(params.questions);
    requireThere(questions, "calibrate: questions");
    const key = stageKey("calibrate", {
      model: fingerprintOf(model),
      questions: await contentHash(questions, "calibrate: questions"),
      samples: params.samples,
      length: params.length,
      seed: params.seed,
      scaling: params.scaling,
    });
    const { samples, length, seed, scaling, memoryBytes } = params;
    return foundOrMade("calibrate", key, { out: params.out, cached: `grams-${key.slice(0, 32)}.safetensors` }, async (out) =>
      resultOrThrow(await engine.run({ kind: "calibrate", model, questions, samples, length, seed, scaling, memoryBytes, out }, { emit, signal })));
  }

  /** Grams of the training prompts. `chatTemplate` is known within a run. */
  async function calibrateTask(params: Omit<CalibrateTaskStart, "out"> & { out: string | null; chatTemplate?: string | null }, { emit, signal }: Working): Promise<StageDone<CalibrateTaskResult>> {
    const model = absolute(params.model);
    const data = absolute(params.data);
    requireThere(data, "calibrate: data");
    const fingerprint = fingerprintOf(model);
    if (params.out !== null) await requireKnownRows(readers, data, params, "calibrate: data");
    const chosen = chooseTemplate(readers, model, params.template);
    const { samples, length, seed, scaling, memoryBytes, mapping, split } = params;
    const { template, chatTemplate } = { ...chosen, ...(params.chatTemplate !== undefined && { chatTemplate: params.chatTemplate }) };
    const key = stageKey("calibrate-task", {
      model: fingerprint, data: await contentHash(data, "calibrate: data"), mapping: JSON.stringify(mapping), split, template, chatTemplate, samples, length, seed, scaling,
    });
    return foundOrMade("calibrate-task", key, { out: params.out, cached: `task-grams-${key.slice(0, 32)}.safetensors` }, async (out) =>
      resultOrThrow(await engine.run({ kind: "calibrate-task", model, data, mapping, split, template, chatTemplate, samples, length, seed, scaling, memoryBytes, out }, { emit, signal })));
  }

  /** The keys of the Gram files are known within a run; for a file alone they are found by the file's place or content. */
  async function init(params: Omit<InitStart, "out"> & { out: string | null; gramsKey?: string; taskGramsKey?: string }, { emit, signal }: Working): Promise<StageDone<InitResult>> {
    const model = absolute(params.model);
    const { method, rank, seed } = params;
    const grams = readsKnowledge(method) ? neededGrams(params.grams, method, knowledgeGrams) : null;
    const taskGrams = readsTask(method) ? neededGrams(params.taskGrams, method, promptGrams) : null;
    requireRankFits(model, rank);
    const gramsKey = grams && (params.gramsKey ?? (await keyOfFile(grams, "init: grams")));
    const taskGramsKey = taskGrams && (params.taskGramsKey ?? (await keyOfFile(taskGrams, "init: taskGrams")));
    // Without a task as ever, so that starts of before are found again.
    const key = stageKey("init", { model: fingerprintOf(model), grams: gramsKey, ...(taskGramsKey !== null && { taskGrams: taskGramsKey }), method, rank, seed });
    return foundOrMade("init", key, { out: params.out, cached: `start-${key.slice(0, 32)}` }, async (out) =>
      resultOrThrow(await engine.run({ kind: "init", model, grams, taskGrams, method, rank, seed, out }, { emit, signal })));
  }

  /** The output of the same work, copied to where it is wanted, or made there; `out` null: in the store's cache. */
  async function foundOrMade<R extends JobResult & { out: string }>(stage: string, key: string, place: { out: string | null; cached: string }, make: (out: string) => Promise<R>): Promise<StageDone<R>> {
    const out = place.out === null ? join(home.cache, place.cached) : absolute(place.out);
    const found = find<R>(key);
    if (found !== null) {
      if (place.out === null) return { key, result: found.result, isReused: true };
      copyInPlace(found.path, out);
      return { key, result: { ...found.result, out }, isReused: true };
    }
    mkdirSync(dirname(out), { recursive: true });
    const result = await make(out);
    record(key, stage, out, result);
    return { key, result, isReused: false };
  }

  async function keyOfFile(file: string, where: string): Promise<string> {
    const row = store.stageOutputs.findByPath(file);
    return row !== null && fileStamp(file) === row.stamp ? row.key : contentHash(file, where);
  }

  function describe(model: string) {
    const description = readers.describeFolder(model);
    if (!description.isUsable) throw new UserError(description.problem);
    return description;
  }
  const fingerprintOf = (model: string) => describe(model).fingerprint;

  /** The rank must fit the smallest projection; said here, before minutes of calibration. */
  function requireRankFits(model: string, rank: number): void {
    const { hidden, heads, kvHeads, headSize, mlpWidth } = describe(model).config;
    const most = Math.min(hidden, heads * headSize, kvHeads * headSize, mlpWidth);
    if (rank <= most) return;
    throw new UserError({
      what: `Rank ${rank} does not fit k_proj and v_proj: their weights are ${kvHeads * headSize} × ${hidden}, so ${most} is the most.`,
      where: "rank",
      fix: `Choose a rank up to ${most}.`,
    });
  }

  return { find, record, foundOrMade, keyOfFile, calibrate, calibrateTask, init, describe, fingerprintOf, requireRankFits };
}

const knowledgeGrams = { where: "init: grams", what: "the Gram file of a calibration", fix: "Run calibrate first and give its file with --grams, or choose the method lora." };
const promptGrams = { where: "init: taskGrams", what: "a Gram file of the training prompts", fix: "Run calibrate with --data on the training rows and give its file with --task-grams, or choose another method." };

function neededGrams(file: string | null, method: string, { where, what, fix }: typeof knowledgeGrams): string {
  if (file === null) throw new UserError({ what: `The method ${method} needs ${what}.`, where, fix });
  const path = absolute(file);
  requireThere(path, where);
  return path;
}

/** Stages as streams, for callers that want one alone. */
export function stagesService(stages: Stages) {
  return {
    calibrate: (params: CalibrateStart, signal?: AbortSignal): AsyncGenerator<CalibrateEvent> =>
      stageStream((working) => stages.calibrate(params, working), signal),
    calibrateTask: (params: CalibrateTaskStart, signal?: AbortSignal): AsyncGenerator<CalibrateTaskEvent> =>
      stageStream((working) => stages.calibrateTask(params, working), signal),
    init: (params: InitStart, signal?: AbortSignal): AsyncGenerator<InitEvent> =>
      stageStream((working) => stages.init(params, working), signal),
  };
}

function stageStream<R>(work: (working: Working) => Promise<StageDone<R>>, callerSignal?: AbortSignal): AsyncGenerator<StageEvent<R>> {
  return jobStream<StageEvent<R>>(async (push, signal) => {
    const emit: Emit = (event) => {
      if (event.type === "progress") push({ type: "progress", progress: event });
      if (event.type === "warning") push({ type: "warning", warning: event.warning });
    };
    const { result, isReused } = await work({ emit, signal });
    push({ type: "done", result, isReused });
  }, callerSignal);
}

/** Copies a file or folder beside its place and renames it, so that no half copy is ever found there. */
export function copyInPlace(from: string, to: string): void {
  if (from === to) return;
  const partial = `${to}.partial-${process.pid}`;
  mkdirSync(dirname(to), { recursive: true });
  rmSync(partial, { recursive: true, force: true });
  cpSync(from, partial, { recursive: true, preserveTimestamps: true });
  rmSync(to, { recursive: true, force: true });
  renameSync(partial, to);
}
