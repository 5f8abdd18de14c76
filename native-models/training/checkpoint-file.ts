// Checkpoints of a run: all that a step depends on, in one safetensors file a step. Written beside and renamed; the last
// two are kept, so a power cut in the middle of one leaves the other.

import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { openSafetensors } from "../checkpoint/safetensors.ts";
import { writeSafetensors } from "../checkpoint/safetensors-writer.ts";
import { UserError } from "../errors.ts";
import type { TrainState } from "./state.ts";

/** Figures that go on from a checkpoint. */
export interface RunFigures {
  firstLossNats: number | null;
  lastLossNats: number | null;
  trainedTokens: number;
  tokens: number;
  /** Time spent in steps, over all sittings. */
  stepMs: number;
}

export interface SavedCheckpoint {
  path: string;
  step: number;
}

const kept = 2;
const pattern = /^step-(\d{8})\.safetensors$/;

/** Checkpoints of a folder, newest first. */
export function listCheckpoints(folder: string): SavedCheckpoint[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .flatMap((name) => {
      const match = pattern.exec(name);
      return match ? [{ path: join(folder, name), step: Number(match[1]) }] : [];
    })
    .sort((a, b) => b.step - a.step);
}

/** Writes the state after `state.step` steps. `settings` must be the same to go on from it. */
export function saveCheckpoint(folder: string, state: TrainState, settings: Record<string, unknown>, figures: RunFigures): SavedCheckpoint {
  const path = join(folder, `step-${String(state.step).padStart(8, "0")}.safetensors`);
  const size = state.parameters.length;
  const vector = (name: string, data: Float32Array) => ({ name, dtype: "F32" as const, shape: [size], data });
  writeSafetensors(path, [vector("parameters", state.parameters), vector("firstMoments", state.firstMoments), vector("secondMoments", state.secondMoments)], {
    step: String(state.step),
    settings: JSON.stringify(settings),
    figures: JSON.stringify(figures),
  });
  for (const old of listCheckpoints(folder).slice(kept)) rmSync(old.path, { force: true });
  return { path, step: state.step };
}

/**
 * Puts the newest checkpoint that can be read into `state`; null where there is none.
 * Throws UserError where it belongs to other settings: going on would mix two runs.
 */
export function loadCheckpoint(folder: string, state: TrainState, settings: Record<string, unknown>): (SavedCheckpoint & { figures: RunFigures }) | null {
  for (const saved of listCheckpoints(folder)) {
    const read = tryRead(saved.path);
    if (!read) continue; // damaged: the one before it is whole
    refuseOtherSettings(saved.path, read.settings, settings);
    state.parameters.set(read.parameters);
    state.firstMoments.set(read.firstMoments);
    state.secondMoments.set(read.secondMoments);
    state.step = saved.step;
    return { ...saved, figures: read.figures };
  }
  return null;
}

interface ReadCheckpoint {
  parameters: Float32Array;
  firstMoments: Float32Array;
  secondMoments: Float32Array;
  settings: Record<string, unknown>;
  figures: RunFigures;
}

function tryRead(path: string): ReadCheckpoint | null {
  try {
    const file = openSafetensors(path);
    const [parameters, firstMoments, secondMoments] = ["parameters", "firstMoments", "secondMoments"].map((name) => file.f32(name));
    return { parameters, firstMoments, secondMoments, ...metadataOf(file.metadata) };
  } catch (error) {
    if (error instanceof UserError || error instanceof SyntaxError) return null;
    throw error;
  }
}

function metadataOf(metadata: ReadonlyMap<string, string>): Pick<ReadCheckpoint, "settings" | "figures"> {
  return { settings: JSON.parse(metadata.get("settings") ?? "{}") as Record<string, unknown>, figures: JSON.parse(metadata.get("figures") ?? "{}") as RunFigures };
}

function refuseOtherSettings(path: string, saved: Record<string, unknown>, wanted: Record<string, unknown>): void {
  for (const name of new Set([...Object.keys(saved), ...Object.keys(wanted)])) {
    if (JSON.stringify(saved[name]) === JSON.stringify(wanted[name])) continue;
    throw new UserError({
      what: `The checkpoint was made with ${name} = ${JSON.stringify(saved[name])}, but the run asks for ${JSON.stringify(wanted[name])}.`,
      where: `${path}: ${name}`,
      fix: "Resume with the settings of the run, or start a new run in another folder.",
    });
  }
}
