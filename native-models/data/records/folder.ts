// A Hugging Face dataset folder as one record source: the files of one split, one after another.
// Files are told apart by name as the hub does it: data/train-00000-of-00002.parquet, test.jsonl, validation/0.csv.

import { readdir } from "node:fs/promises";
import { basename, join, relative, sep } from "node:path";
import { UserError } from "../../errors.ts";
import type { DataRecord, RecordSource } from "./types.ts";

export type Split = "train" | "validation" | "test";

const splitWords: Record<Split, RegExp> = {
  train: /(^|[^a-z])(train|training)([^a-z]|$)/,
  validation: /(^|[^a-z])(validation|valid|val|dev)([^a-z]|$)/,
  test: /(^|[^a-z])(test|testing|eval|evaluation)([^a-z]|$)/,
};

const dataFile = /\.(parquet|jsonl|ndjson|json|csv|tsv)$/i;
/** Descriptions that lie beside the data and are none. */
const notData = /(^|\/)(dataset_infos?|state|config|metadata|package)\.json$/i;
const deepest = 3;
const mostFiles = 10_000;

/** Data files of a folder by split; a file that names no split belongs to train when no file names train. */
export async function findSplits(folder: string): Promise<Partial<Record<Split, string[]>>> {
  const files = (await listFiles(folder, folder, 0)).sort();
  const splits: Partial<Record<Split, string[]>> = {};
  const unnamed: string[] = [];
  for (const file of files) {
    const split = splitOf(file);
    if (split === null) unnamed.push(file);
    else (splits[split] ??= []).push(file);
  }
  if (splits.train === undefined && unnamed.length > 0) splits.train = unnamed;
  return splits;
}

/** Opens the files of a split until they hold `most` records together. */
export async function openFolder(folder: string, split: Split, most: number, openFile: (path: string) => Promise<RecordSource>): Promise<RecordSource> {
  const splits = await findSplits(folder);
  const files = splits[split];
  if (files === undefined) {
    const names = Object.keys(splits);
    throw new UserError({
      what: `The folder has no ${split} split: ${names.length === 0 ? "no .parquet, .jsonl, .json or .csv file was found" : `it has ${names.join(" and ")}`}.`,
      where: folder,
      fix: "Choose another split, or the data file itself.",
    });
  }
  const configurations = [...new Set(files.map((file) => (file.includes("/") ? file.slice(0, file.indexOf("/")) : "")))];
  if (configurations.length > 1) {
    throw new UserError({
      what: `The folder holds ${configurations.length} data sets side by side (${configurations.map((name) => name || "files at the top").join(", ")}).`,
      where: folder,
      fix: "Choose one of its sub-folders or files.",
    });
  }
  const sources = await openAll(files.map((file) => join(folder, file)), most, openFile);
  return joinSources(folder, sources, sources.length < files.length);
}

function splitOf(file: string): Split | null {
  const name = basename(file).toLowerCase();
  const parent = basename(file.slice(0, Math.max(0, file.length - name.length - 1))).toLowerCase();
  for (const part of [name, parent]) {
    for (const [split, word] of Object.entries(splitWords)) if (word.test(part)) return split as Split;
  }
  return null;
}

async function listFiles(root: string, folder: string, depth: number): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.name.startsWith(".")) continue;
    if (entry.isDirectory() && depth < deepest) found.push(...(await listFiles(root, path, depth + 1)));
    const name = relative(root, path).split(sep).join("/");
    if (!entry.isDirectory() && dataFile.test(entry.name) && !notData.test(name)) found.push(name);
    if (found.length > mostFiles) throw new UserError({ what: `More than ${mostFiles} data files are under the folder.`, where: root, fix: "Choose the data set's own folder." });
  }
  return found;
}

async function openAll(paths: readonly string[], most: number, openFile: (path: string) => Promise<RecordSource>): Promise<RecordSource[]> {
  const sources: RecordSource[] = [];
  let records = 0;
  try {
    for (const path of paths) {
      if (records >= most) break;
      const source = await openFile(path);
      sources.push(source);
      records += source.count;
    }
    return sources;
  } catch (error) {
    await Promise.all(sources.map((source) => source.close()));
    throw error;
  }
}

function joinSources(path: string, sources: readonly RecordSource[], areMoreFiles: boolean): RecordSource {
  const starts: number[] = [];
  let count = 0;
  for (const source of sources) {
    starts.push(count);
    count += source.count;
  }
  const renumber = (record: DataRecord, start: number): DataRecord => ({ ...record, index: record.index + start });
  return {
    path,
    kind: "folder",
    count,
    isCut: areMoreFiles || sources.some((source) => source.isCut),
    columns: sources[0]?.columns ?? null,
    async record(index) {
      const at = starts.findLastIndex((start, i) => start <= index && sources[i]!.count > 0);
      if (at < 0) throw new RangeError(`record ${index} of ${count} in ${path}`);
      return renumber(await sources[at]!.record(index - starts[at]!), starts[at]!);
    },
    async *records(first = 0) {
      for (const [i, source] of sources.entries()) {
        const start = starts[i]!;
        if (start + source.count <= first) continue;
        for await (const record of source.records(Math.max(0, first - start))) yield renumber(record, start);
      }
    },
    async close() {
      await Promise.all(sources.map((source) => source.close()));
    },
  };
}
