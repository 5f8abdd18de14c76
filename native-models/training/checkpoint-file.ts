// Checkpoints of a run: all that a step depends on, in one safetensors file a step. Written beside and renamed; the last
// two are kept, so a power cut in the middle of one leaves the other. In the same file lies what the run had said up to
// then (its history), so that nothing of it is lost with whoever was listening. Beside them the parameters of two states that
// the adapter may be made from: the best one, as validation has it, and the last one whose retention was above the floor.

import { existsSync, readdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { AdapterNotes } from "../adapter/adapter-notes.ts";
import { openSafetensors } from "../checkpoint/safetensors.ts";
import { writeSafetensors } from "../checkpoint/safetensors-writer.ts";
import { UserError } from "../errors.ts";
import type { RetentionProgress } from "./retention.ts";
import type { TrainState } from "./state.ts";
import type { ValidationProgress } from "./validation.ts";
import type { ValidatesBy } from "./validator.ts";

/** Figures that go on from a checkpoint. */
export interface RunFigures {
  firstLossNats: number | null;
  lastLossNats: number | null;
  trainedTokens: number;
  tokens: number;
  /** Time spent in steps, over all sittings. */
  stepMs: number;
  /** Losses of the last steps, newest last: what loss-guard.ts compares with. */
  recentLossesNats: number[];
  /** How the validation loss is worked out, and what it has said; null without validation. */
  validation: { by: ValidatesBy; progress: ValidationProgress } | null;
  /** What of the base's knowledge was there at the last measurements; null before the first, or without any. */
  retention: RetentionProgress | null;
}

export const noFigures: RunFigures = { firstLossNats: null, lastLossNats: null, trainedTokens: 0, tokens: 0, stepMs: 0, recentLossesNats: [], validation: null, retention: null };

export interface SavedCheckpoint {
  path: string;
  step: number;
}

const kept = 2;
const patterns = { step: /^step-(\d{8})\.safetensors$/, best: /^best-(\d{8})\.safetensors$/, retained: /^retained-(\d{8})\.safetensors$/ };
/** A state beside the checkpoints: the lowest validation loss, or the last one above the floor of retention. */
export type KeptState = "best" | "retained";

/** Checkpoints of a folder, newest first. */
export function listCheckpoints(folder: string): SavedCheckpoint[] {
  return listFiles(folder, patterns.step);
}

/** The parameters of the best step, where validation has chosen one. */
export function findBest(folder: string): SavedCheckpoint | null {
  return listFiles(folder, patterns.best)[0] ?? null;
}

/** Whether a path is that of a checkpoint: a file of a run's checkpoints, not an adapter's folder. */
export function isCheckpointFile(path: string): boolean {
  return Object.values(patterns).some((pattern) => pattern.test(basename(path)));
}

export function requireCheckpoint(file: string): void {
  if (existsSync(file)) return;
  throw new UserError({
    what: `The checkpoint ${basename(file)} is no longer there: a training keeps its last two and the best.`,
    where: file,
    fix: "Choose another checkpoint of the run, or its adapter.",
  });
}

/** The template of the training that a checkpoint is of, as the newest beside it says; null where none says it. */
export function checkpointNotes(file: string): AdapterNotes | null {
  requireCheckpoint(file);
  const [newest] = listCheckpoints(dirname(file));
  if (newest === undefined) return null;
  const settings = JSON.parse(openSafetensors(newest.path).metadata.get("settings") ?? "{}") as { template?: unknown; templateText?: unknown };
  const { template, templateText } = settings;
  if ((template !== "chat" && template !== "alpaca") || typeof templateText !== "string") return null;
  return { template, templateText };
}

function listFiles(folder: string, pattern: RegExp): SavedCheckpoint[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .flatMap((name) => {
      const match = pattern.exec(name);
      return match ? [{ path: join(folder, name), step: Number(match[1]) }] : [];
    })
    .sort((a, b) => b.step - a.step);
}

/** Writes the state after `state.step` steps. `settings` must be the same to go on from it; `history` is the caller's text. */
export function saveCheckpoint(folder: string, state: TrainState, settings: Record<string, unknown>, figures: RunFigures, history: string): SavedCheckpoint {
  const path = pathOf(folder, "step", state.step);
  const { parameters, firstMoments, secondMoments } = state;
  const text = new TextEncoder().encode(history);
  writeSafetensors(path, [vector("parameters", parameters), vector("firstMoments", firstMoments), vector("secondMoments", secondMoments), { name: "history", dtype: "U8", shape: [text.length], data: text }], {
    step: String(state.step),
    settings: JSON.stringify(settings),
    figures: JSON.stringify(figures),
  });
  const all = listCheckpoints(folder);
  const old = [...all.slice(kept), ...forgotten(folder, all.slice(0, kept))];
  for (const { path: stale } of old) rmSync(stale, { force: true });
  return { path, step: state.step };
}

/** Kept states that none of the checkpoints knows of: a run may go on from each of them. */
function forgotten(folder: string, checkpoints: readonly SavedCheckpoint[]): SavedCheckpoint[] {
  const figures = checkpoints.map(({ path }) => tryMetadata(path)?.figures ?? noFigures);
  const known: Record<KeptState, (number | undefined)[]> = { best: figures.map((each) => each.validation?.progress.best?.step), retained: figures.map((each) => each.retention?.above.step) };
  return (["best", "retained"] as const).flatMap((state) => listFiles(folder, patterns[state]).filter(({ step }) => !known[state].includes(step)));
}

/** Bytes that a folder of checkpoints takes at most: those kept, the one being written, and beside them `states` kinds of kept states. */
export function checkpointsBytes(parameters: number, states: number): number {
  return parameters * 4 * (3 * (kept + 1) + (kept + 1) * states);
}

/** Keeps the present parameters, with the figure they are kept for. Earlier ones stay while a checkpoint knows of them. */
export function keepState(folder: string, as: KeptState, state: TrainState, figure: number): SavedCheckpoint {
  const path = pathOf(folder, as, state.step);
  writeSafetensors(path, [vector("parameters", state.parameters)], { step: String(state.step), [as === "best" ? "validationLossNats" : "retention"]: String(figure) });
  return { path, step: state.step };
}

/** The parameters that keepState kept of `step`. */
export function loadKept(folder: string, as: KeptState, step: number): Float32Array {
  return openSafetensors(pathOf(folder, as, step)).f32("parameters");
}

/** Where keepState keeps the state of `step`. */
export function keptPath(folder: string, as: KeptState, step: number): string {
  return pathOf(folder, as, step);
}

function pathOf(folder: string, kind: keyof typeof patterns, step: number): string {
  return join(folder, `${kind}-${String(step).padStart(8, "0")}.safetensors`);
}

function vector(name: string, data: Float32Array) {
  return { name, dtype: "F32" as const, shape: [data.length], data };
}

/**
 * Puts the newest checkpoint that can be read into `state`; null where there is none. Its history is null where an older
 * version wrote it. Throws UserError where it belongs to other settings: going on would mix two runs.
 */
export function loadCheckpoint(folder: string, state: TrainState, settings: Record<string, unknown>): (SavedCheckpoint & { figures: RunFigures; history: string | null }) | null {
  for (const saved of listCheckpoints(folder)) {
    const read = tryRead(saved.path);
    if (!read) continue; // damaged: the one before it is whole
    refuseOtherSettings(saved.path, read.settings, settings);
    state.parameters.set(read.parameters);
    state.firstMoments.set(read.firstMoments);
    state.secondMoments.set(read.secondMoments);
    state.step = saved.step;
    return { ...saved, figures: read.figures, history: read.history };
  }
  return null;
}

interface ReadCheckpoint {
  parameters: Float32Array;
  firstMoments: Float32Array;
  secondMoments: Float32Array;
  settings: Record<string, unknown>;
  figures: RunFigures;
  history: string | null;
}

function tryRead(path: string): ReadCheckpoint | null {
  try {
    const file = openSafetensors(path);
    const [parameters, firstMoments, secondMoments] = ["parameters", "firstMoments", "secondMoments"].map((name) => file.f32(name));
    const history = file.entries.has("history") ? new TextDecoder().decode(file.bytes("history")) : null;
    return { parameters, firstMoments, secondMoments, history, ...metadataOf(file.metadata) };
  } catch (error) {
    if (error instanceof UserError || error instanceof SyntaxError) return null;
    throw error;
  }
}

function tryMetadata(path: string): ReturnType<typeof metadataOf> | null {
  try {
    return metadataOf(openSafetensors(path).metadata);
  } catch (error) {
    if (error instanceof UserError || error instanceof SyntaxError) return null;
    throw error;
  }
}

function metadataOf(metadata: ReadonlyMap<string, string>): Pick<ReadCheckpoint, "settings" | "figures"> {
  return { settings: JSON.parse(metadata.get("settings") ?? "{}") as Record<string, unknown>, figures: { ...noFigures, ...(JSON.parse(metadata.get("figures") ?? "{}") as Partial<RunFigures>) } };
}

function refuseOtherSettings(path: string, saved: Record<string, unknown>, wanted: Record<string, unknown>): void {
  for (const name of new Set([...Object.keys(saved), ...Object.keys(wanted)])) {
    if (JSON.stringify(saved[name] ?? null) === JSON.stringify(wanted[name] ?? null)) continue;
    throw new UserError({
      what: `The checkpoint was made with ${name} = ${JSON.stringify(saved[name])}, but the run asks for ${JSON.stringify(wanted[name])}.`,
      where: `${path}: ${name}`,
      fix: "Resume with the settings of the run, or start a new run in another folder.",
    });
  }
}
