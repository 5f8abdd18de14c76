// The questions of a probe and its worked examples, from the file or data set folder that people have.
// In: a task, where its data lies, which rows are shown. Out: examples and questions, with their row numbers.

import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { taskRecord } from "../data/columns.ts";
import { seededRandom } from "../data/random.ts";
import { findSplits, type Split } from "../data/records/folder.ts";
import { openRecords } from "../data/records/open.ts";
import type { RecordSource } from "../data/records/types.ts";
import { UserError } from "../errors.ts";
import type { ProbeTask, TaskQuestion } from "./task.ts";

/** Which rows are the worked examples: the first ones, some chosen by a seed, or those named (from 0). */
export type ShotChoice = { by: "first" } | { by: "seed"; seed: number } | { by: "rows"; rows: number[] };

export interface TaskData {
  /** File or data set folder. */
  questions: string;
  /** Split of a folder; null: the one that the task asks. */
  split: Split | null;
  shots: number;
  /** File or folder of the examples; null: the folder's own split for examples, else the questions' own rows, which are then not asked. */
  shotsFrom: string | null;
  choice: ShotChoice;
  limit: number | null;
}

export interface ReadTask {
  examples: TaskQuestion[];
  asked: { index: number; question: TaskQuestion }[];
}

const mostQuestions = 1_000_000;
const mostUnpackedBytes = 1 << 30;

export async function readTask(task: ProbeTask, data: TaskData): Promise<ReadTask> {
  const asked = await openPart(data.questions, data.split === null ? task.asks : [data.split]);
  try {
    const other = data.shots === 0 ? null : await openExamples(task, data, asked.split);
    try {
      const from = other ?? asked;
      const shown = chosenRows(data, from.source);
      const examples: TaskQuestion[] = [];
      for (const row of shown) examples.push(task.question(taskRecord(from.source, await from.source.record(row))));
      const questions = await readAsked(task, asked, other === null ? new Set(shown) : new Set(), data.limit);
      return { examples, asked: questions };
    } finally {
      await other?.close();
    }
  } finally {
    await asked.close();
  }
}

interface Part {
  source: RecordSource;
  split: Split | null;
  close(): Promise<void>;
}

async function readAsked(task: ProbeTask, part: Part, shown: ReadonlySet<number>, limit: number | null): Promise<ReadTask["asked"]> {
  if (part.source.count > mostQuestions) {
    throw new UserError({ what: `The file has ${part.source.count} rows; a question set has at most ${mostQuestions}.`, where: part.source.path, fix: "Choose a file of questions, or a part of this one." });
  }
  const asked: ReadTask["asked"] = [];
  for await (const record of part.source.records()) {
    if (limit !== null && asked.length === limit) break;
    if (!shown.has(record.index)) asked.push({ index: record.index, question: task.question(taskRecord(part.source, record)) });
  }
  return asked;
}

async function openExamples(task: ProbeTask, { questions, shotsFrom }: TaskData, askedSplit: Split | null): Promise<Part | null> {
  if (shotsFrom !== null) return openPart(shotsFrom, task.shows);
  if (askedSplit === null) return null;
  const splits = await findSplits(questions);
  const split = task.shows.find((name) => splits[name] !== undefined && name !== askedSplit);
  return split === undefined ? null : openPart(questions, [split]);
}

/** A file, or the first of the wanted splits that a folder has. */
async function openPart(path: string, wanted: readonly Split[]): Promise<Part> {
  const unpacked = await unpack(path);
  const close = async (source: RecordSource | null): Promise<void> => {
    await source?.close();
    if (unpacked !== null) await rm(unpacked.folder, { recursive: true, force: true });
  };
  try {
    const file = unpacked?.file ?? path;
    const splits = (await isFolder(file)) ? await findSplits(file) : null;
    const split = splits === null ? null : (wanted.find((name) => splits[name] !== undefined) ?? wanted[0]!);
    const source = await openRecords(file, split === null ? {} : { split });
    return { source, split, close: () => close(source) };
  } catch (error) {
    await close(null);
    throw error;
  }
}

function chosenRows({ shots, choice }: TaskData, { count, path }: RecordSource): number[] {
  const refuse = (what: string): never => {
    throw new UserError({ what, where: path, fix: "Give more questions or fewer examples." });
  };
  if (choice.by === "rows") {
    const beyond = choice.rows.find((row) => row >= count);
    if (beyond !== undefined) refuse(`Row ${beyond + 1} was named as an example; the file has ${count} rows.`);
    return [...choice.rows];
  }
  if (count < shots) refuse(`The file has ${count} questions; ${shots} examples were asked for.`);
  if (choice.by === "first") return Array.from({ length: shots }, (_, row) => row);
  const random = seededRandom(choice.seed);
  const rows = new Set<number>();
  while (rows.size < shots) rows.add(random.below(count));
  return [...rows];
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false; // missing: opening says so
  }
}

/** HumanEval is handed out as .jsonl.gz: unpacked into a folder of its own for the time it is read. */
async function unpack(path: string): Promise<{ folder: string; file: string } | null> {
  if (!/\.gz$/i.test(path)) return null;
  try {
    const folder = await mkdtemp(join(tmpdir(), "nullspace-unpacked-"));
    const file = join(folder, basename(path).replace(/\.gz$/i, ""));
    await writeFile(file, gunzipSync(await readFile(path), { maxOutputLength: mostUnpackedBytes }));
    return { folder, file };
  } catch (cause) {
    throw new UserError({ what: `The file cannot be unpacked: ${cause instanceof Error ? cause.message : String(cause)}`, where: path, fix: "Unpack it by hand and choose the unpacked file." }, { cause });
  }
}
