// The loaded model of a probing or answering process: opened for the first job, kept for the next ones of the same model.

import { statSync } from "node:fs";
import { freemem } from "node:os";
import { join } from "node:path";
import { createAnswerer, type Answerer, type HeldRows } from "../../../native-models/answering/answerer.ts";
import { adapterFeeds, type AdapterFeeds } from "../../../native-models/answering/adapter-feeds.ts";
import { readPeftAdapter, type PeftAdapter } from "../../../native-models/adapter/peft.ts";
import { openCheckpoint } from "../../../native-models/checkpoint/checkpoint.ts";
import { openTokenizer } from "../../../native-models/checkpoint/tokenizer.ts";
import type { Checkpoint, Tokenizer } from "../../../native-models/checkpoint/types.ts";
import type { Width } from "../../../native-models/quantised/places.ts";
import { prepareQuantised } from "../../../native-models/quantised/quantised-model.ts";
import { roundingText } from "../../../native-models/quantised/rounding-text.ts";
import { readCheckpointAdapter } from "../../../native-models/training/checkpoint-adapter.ts";
import { isCheckpointFile } from "../../../native-models/training/checkpoint-file.ts";
import type { Emit } from "../events.ts";
import type { WeightSettings } from "../answer-jobs.ts";
import { roundingProgress } from "./rounding-progress.ts";

export interface Warm {
  answerer: Answerer;
  tokenizer: Tokenizer;
}

let warm: (Warm & { fingerprint: string; width: Width }) | null = null;
let adapters: { key: string; feeds: AdapterFeeds } | null = null;
/** Of the last conversation. */
let held: { feeds: AdapterFeeds; rows: HeldRows } | null = null;

/** Rotary tables cost 256 bytes a position; longer conversations than this are rare on the models this serves. */
const mostPositions = 8192;

/** Rounding the weights, where they are wanted so and not there yet, is told and can be cancelled. */
export interface WarmOptions {
  weights?: WeightSettings | undefined;
  emit?: Emit;
  signal?: AbortSignal;
}

export async function warmAnswerer(model: string, { weights, emit = () => {}, signal }: WarmOptions = {}): Promise<Warm> {
  const checkpoint = openCheckpoint(model);
  const width = weights?.width ?? "float32";
  if (warm?.fingerprint === checkpoint.fingerprint && warm.width === width) return warm;
  await warm?.answerer.release();
  [warm, held] = [null, null];
  const tokenizer = openTokenizer(model);
  const quantised = weights && width !== "float32" ? await prepareQuantised({
    checkpoint, width, cache: weights.cache,
    text: () => roundingText(weights.samples, tokenizer, checkpoint.config.maxPositions),
    onProgress: roundingProgress(emit, width),
    ...(signal && { signal }),
  }) : null;
  const answerer = await createAnswerer({ checkpoint, maxLength: Math.min(mostPositions, checkpoint.config.maxPositions), quantised });
  warm = { answerer, tokenizer, fingerprint: checkpoint.fingerprint, width };
  return warm;
}

/** These adapters side by side, PEFT folders or checkpoints of trainings, read again only when a file changed. */
export function warmAdapters({ answerer }: Warm, paths: readonly string[]): AdapterFeeds {
  const { checkpoint } = answerer;
  const key = JSON.stringify([checkpoint.fingerprint, ...paths.map((path) => [path, stampOf(path)])]);
  if (adapters?.key !== key) adapters = { key, feeds: adapterFeeds(checkpoint.config, paths.map((path) => readAdapter(path, checkpoint))) };
  return adapters.feeds;
}

/** The rows of the last conversation with these adapters, and nobody's from then on: they are held again, or gone. */
export function takeHeld(feeds: AdapterFeeds): HeldRows | null {
  const found = held?.feeds === feeds ? held.rows : null;
  held = null;
  return found;
}

/** Rows beyond a share of the memory that is free are let go. */
const mostHeldBytes = 512 * 2 ** 20;
const mostOfFree = 1 / 4;

export function holdRows(feeds: AdapterFeeds, rows: HeldRows): void {
  held = rows.cache.sizeBytes <= Math.min(mostHeldBytes, freemem() * mostOfFree) ? { feeds, rows } : null;
}

function readAdapter(path: string, checkpoint: Checkpoint): PeftAdapter {
  return isCheckpointFile(path) ? readCheckpointAdapter(path, checkpoint) : readPeftAdapter(path, checkpoint);
}

function stampOf(path: string): number | null {
  const file = isCheckpointFile(path) ? path : join(path, "adapter_model.safetensors");
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? null; // missing: reading says so
}
