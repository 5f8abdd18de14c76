// The loaded model of a probing or answering process: opened for the first job, kept for the next ones of the same model.

import { statSync } from "node:fs";
import { join } from "node:path";
import { createAnswerer, type Answerer } from "../../../native-models/answering/answerer.ts";
import { adapterFeeds, type AdapterFeeds } from "../../../native-models/answering/adapter-feeds.ts";
import { readPeftAdapter } from "../../../native-models/adapter/peft.ts";
import { openCheckpoint } from "../../../native-models/checkpoint/checkpoint.ts";
import { openTokenizer } from "../../../native-models/checkpoint/tokenizer.ts";
import type { Tokenizer } from "../../../native-models/checkpoint/types.ts";

export interface Warm {
  answerer: Answerer;
  tokenizer: Tokenizer;
}

let warm: (Warm & { fingerprint: string }) | null = null;
let adapters: { key: string; feeds: AdapterFeeds } | null = null;

/** Rotary tables cost 256 bytes a position; longer conversations than this are rare on the models this serves. */
const mostPositions = 8192;

export async function warmAnswerer(model: string): Promise<Warm> {
  const checkpoint = openCheckpoint(model);
  if (warm?.fingerprint === checkpoint.fingerprint) return warm;
  await warm?.answerer.release();
  warm = null;
  const tokenizer = openTokenizer(model);
  const answerer = await createAnswerer({ checkpoint, maxLength: Math.min(mostPositions, checkpoint.config.maxPositions) });
  warm = { answerer, tokenizer, fingerprint: checkpoint.fingerprint };
  return warm;
}

/** The adapters of these folders side by side, read again only when a file changed. */
export function warmAdapters({ answerer }: Warm, folders: readonly string[]): AdapterFeeds {
  const { checkpoint } = answerer;
  const key = JSON.stringify([checkpoint.fingerprint, ...folders.map((folder) => [folder, stampOf(folder)])]);
  if (adapters?.key !== key) adapters = { key, feeds: adapterFeeds(checkpoint.config, folders.map((folder) => readPeftAdapter(folder, checkpoint))) };
  return adapters.feeds;
}

function stampOf(folder: string): number | null {
  return statSync(join(folder, "adapter_model.safetensors"), { throwIfNoEntry: false })?.mtimeMs ?? null; // missing: reading says so
}
