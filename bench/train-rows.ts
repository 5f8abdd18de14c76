// The rows and the start that both sides train on, as files that both can read.
// Rows: the golden ones where ../shared is, else rows of our samples, padded on the right. Start: the golden one of that
// kind where it fits, else random: A as LoRA draws it; B zero for LoRA and small for the kinds that begin elsewhere.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { openCheckpoint } from "../native-models/checkpoint/checkpoint.ts";
import { openSafetensors, type SafetensorsFile } from "../native-models/checkpoint/safetensors.ts";
import { writeSafetensors } from "../native-models/checkpoint/safetensors-writer.ts";
import { openTokenizer } from "../native-models/checkpoint/tokenizer.ts";
import { encodeRow, type EncodedRow } from "../native-models/data/encode.ts";
import { seededRandom } from "../native-models/data/random.ts";
import { openRows } from "../native-models/data/rows/open.ts";
import { UserError } from "../native-models/errors.ts";
import { modulesOf, type Module } from "../native-models/programs/names.ts";
import { sample, sharedFolder } from "./places.ts";
import type { TrainKind } from "./settings.ts";

const longestRow = 192;

/** Rows [rows, T] as input_ids, labels (−100: not trained) and attention_mask. */
export async function rowsFile(model: string, wanted: number, work: string): Promise<{ file: string; from: string }> {
  const shared = sharedFolder();
  if (shared !== null) return { file: join(shared, "golden/train_batches.safetensors"), from: "golden/train_batches.safetensors" };
  const rows = await sampleRows(model, wanted);
  const T = Math.max(...rows.map(({ ids }) => ids.length));
  const padId = openCheckpoint(model).config.padId ?? 0;
  const tensor = (value: (row: EncodedRow, t: number) => number): Int32Array => Int32Array.from({ length: rows.length * T }, (_, i) => value(rows[Math.floor(i / T)]!, i % T));
  const file = join(work, "rows.safetensors");
  const shape = [rows.length, T];
  writeSafetensors(file, [
    { name: "input_ids", dtype: "I32", shape, data: tensor(({ ids }, t) => ids[t] ?? padId) },
    { name: "labels", dtype: "I32", shape, data: tensor(({ ids, isTrained }, t) => (isTrained[t] ? ids[t]! : -100)) },
    { name: "attention_mask", dtype: "I32", shape, data: tensor(({ ids }, t) => (t < ids.length ? 1 : 0)) },
  ]);
  return { file, from: "samples/word-problems.train.jsonl" };
}

async function sampleRows(model: string, wanted: number): Promise<EncodedRow[]> {
  const tokenizer = openTokenizer(model);
  const source = await openRows(sample("word-problems.train.jsonl"));
  try {
    const rows: EncodedRow[] = [];
    for await (const { row } of source.rows()) {
      const encoded = encodeRow(row, tokenizer, "alpaca");
      if (encoded.ids.length <= longestRow) rows.push(encoded);
      if (rows.length === wanted) break;
    }
    if (rows.length === 0) {
      throw new UserError({ what: `No sample row fits ${longestRow} tokens of this model's tokenizer.`, where: model, fix: "Measure with a model whose tokens are words and their parts." });
    }
    return rows;
  } finally {
    await source.close();
  }
}

/** A file with NAME.A [R,in] and NAME.B [out,R], or A0.NAME alone where B begins at zero. */
export function startFile(model: string, kind: TrainKind, rank: number, work: string): { file: string; from: string } {
  const modules = modulesOf(openCheckpoint(model).config);
  const shared = sharedFolder();
  const name = kind === "lora" ? "train_lora.safetensors" : "init_r16_full.safetensors";
  const golden = shared === null ? null : join(shared, "golden", name);
  if (golden !== null && existsSync(golden) && fits(openSafetensors(golden), modules, rank)) return { file: golden, from: `golden/${name}` };
  const random = seededRandom(0);
  const uniform = (length: number, bound: number): Float32Array => Float32Array.from({ length }, () => (2 * random.float() - 1) * bound);
  const file = join(work, `start-${kind}.safetensors`);
  writeSafetensors(file, modules.flatMap(({ name: module, in: size, out }) => [
    { name: `${module}.A`, dtype: "F32" as const, shape: [rank, size], data: uniform(rank * size, 1 / Math.sqrt(size)) },
    { name: `${module}.B`, dtype: "F32" as const, shape: [out, rank], data: uniform(out * rank, kind === "lora" ? 0 : 0.02) },
  ]));
  return { file, from: "random numbers of seed 0" };
}

function fits(file: SafetensorsFile, modules: readonly Module[], rank: number): boolean {
  return modules.every(({ name, in: size }) => {
    const entry = file.entries.get(`${name}.A`) ?? file.entries.get(`A0.${name}`);
    return entry !== undefined && entry.shape[0] === rank && entry.shape[1] === size;
  });
}

/** Tensor "NAME.A" or "NAME.B" of a start file. */
export function startTensor(file: SafetensorsFile, tensor: string, modules: ReadonlyMap<string, Module>, rank: number): Float32Array {
  if (file.entries.has(tensor)) return file.f32(tensor);
  const [name, factor] = [tensor.slice(0, -2), tensor.slice(-1)];
  if (factor === "A") return file.f32(`A0.${name}`);
  const module = modules.get(name);
  if (module === undefined) throw new UserError({ what: `The start has no ${tensor}.`, where: file.file, fix: "Use a start of this model." });
  return new Float32Array(module.out * rank);
}
