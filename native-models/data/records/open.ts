// Opens a data file or folder as records, whatever it is called: by its first bytes, then by its name.

import { open, stat } from "node:fs/promises";
import { UserError } from "../../errors.ts";
import { openFolder, type Split } from "./folder.ts";
import { openParquet } from "./parquet.ts";
import type { IndexOptions } from "./record-index.ts";
import { openTextFile, type TextKind } from "./text-file.ts";
import type { RecordSource } from "./types.ts";

export interface OpenOptions extends IndexOptions {
  /** Of a dataset folder; default: train. */
  split?: Split;
}

/** With `most`, only the beginning is opened: at least so many records where there are as many, without reading the rest. */
export async function openRecords(path: string, options: OpenOptions = {}): Promise<RecordSource> {
  let isFolder: boolean;
  try {
    isFolder = (await stat(path)).isDirectory();
  } catch (error) {
    throw new UserError({ what: "The file is not there or may not be read.", where: path, fix: "Check the path." }, { cause: error });
  }
  return isFolder ? openFolder(path, options.split ?? "train", options.most ?? Infinity, (file) => openFile(file, options)) : openFile(path, options);
}

async function openFile(path: string, options: IndexOptions): Promise<RecordSource> {
  options.signal?.throwIfAborted();
  const kind = await kindOf(path);
  const source = kind === "parquet" ? await openParquet(path) : await openTextFile(path, kind, options);
  if (source.count > 0) return source;
  await source.close();
  throw new UserError({ what: "The file has no rows.", where: path, fix: "Choose a file with at least one row." });
}

async function kindOf(path: string): Promise<TextKind | "parquet"> {
  const head = await firstBytes(path);
  const text = new TextDecoder().decode(head).replace(/^\ufeff/, "").trimStart();
  if (text.startsWith("PAR1") || /\.parquet$/i.test(path)) return "parquet";
  if (head[0] === 0x1f && head[1] === 0x8b) {
    throw new UserError({ what: "The file is packed (gzip).", where: path, fix: "Unpack it and choose the unpacked file." });
  }
  if (/\.(csv|tsv)$/i.test(path)) return "csv";
  if (/\.(jsonl|ndjson)$/i.test(path)) return "jsonl";
  if (/\.json$/i.test(path)) return text.startsWith("{") ? "jsonl" : "json"; // many .json files hold a row a line
  if (text.startsWith("{")) return "jsonl";
  if (text.startsWith("[")) return "json";
  throw new UserError({
    what: "The file's kind is unknown: neither its name nor its first bytes tell JSONL, JSON, CSV or Parquet.",
    where: path,
    fix: "Name it .jsonl, .json, .csv or .parquet, as it is.",
  });
}

async function firstBytes(path: string): Promise<Uint8Array> {
  const file = await open(path, "r");
  try {
    const bytes = new Uint8Array(64);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    return bytes.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
