// What a start looks like from the texts that were read: for pictures and for people.
// In: a start folder and the Gram files of its model. Out: of each layer input the spectrum, its effective rank and the
// angles between what knowledge and task use most; of each projection how much energy its adapter can see.

import type { Checkpoint } from "../checkpoint/types.ts";
import { estimateSpectrum } from "../nullspace/spectrum.ts";
import { layerInputs, requireGramsOf, type GramFile } from "../nullspace/gram-file.ts";
import { product, transposed, type DenseKernels, type Matrix } from "../nullspace/kernels.ts";
import { orthonormalColumns } from "../nullspace/orthonormal.ts";
import { thinSvd } from "../nullspace/thin-svd.ts";
import { topSubspace } from "../nullspace/top-subspace.ts";
import type { Gram, LayerInput, Method } from "../nullspace/types.ts";
import { modulesOf, type Module } from "../programs/names.ts";
import { requireStartOf, type StoredStart } from "./start-folder.ts";

export interface InputReport {
  layer: number;
  input: LayerInput;
  size: number;
  /** Of the knowledge text, or of the task where only that was read: see `estimateSpectrum`. */
  spectrum: number[];
  effectiveRank: number;
  /** The method's own figures of its directions, where it has them: their energies, ascending, and that of the next one. */
  ritzValues: number[];
  nextRitzValue: number | null;
  /** Principal angles in degrees, ascending, between the R directions that knowledge and task use most; null without both. */
  anglesDegrees: number[] | null;
}

export interface ModuleReport {
  layer: number;
  /** "q_proj" */
  projection: string;
  /** Share of the energy of the knowledge text that the adapter's A can see; the rest is kept out of its reach. Null without its Gram. */
  knowledgeShare: number | null;
  /** The same of the task's prompts. */
  taskShare: number | null;
}

export interface StartReport {
  method: Method;
  rank: number;
  layers: number;
  /** Which text the spectra are of. */
  spectrumOf: "knowledge" | "task";
  inputs: InputReport[];
  modules: ModuleReport[];
}

interface ReportOptions {
  checkpoint: Checkpoint;
  start: StoredStart;
  knowledge: GramFile | null;
  task: GramFile | null;
  kernels: DenseKernels;
  onProgress?(layersDone: number, layers: number): void;
  signal?: AbortSignal;
}

/** Needs one of the two Gram files. */
export async function reportStart({ checkpoint, start, knowledge, task, kernels, onProgress, signal }: ReportOptions): Promise<StartReport> {
  const { method, rank, energies } = start.info;
  requireStartOf(start, checkpoint.fingerprint);
  for (const file of [knowledge, task]) if (file) requireGramsOf(file, checkpoint.fingerprint, checkpoint.config);
  const { layers } = checkpoint.config;
  const report: StartReport = { method, rank, layers, spectrumOf: knowledge ? "knowledge" : "task", inputs: [], modules: [] };
  const context = { kernels, seed: 0, ...(signal && { signal }) };
  for (let layer = 0; layer < layers; layer++) {
    const modules = modulesOf(checkpoint.config).filter((module) => module.layer === layer);
    for (const input of layerInputs) {
      signal?.throwIfAborted();
      const grams = { knowledge: knowledge?.read(layer, input) ?? null, task: task?.read(layer, input) ?? null };
      const shown = (grams.knowledge ?? grams.task)!;
      const { values, effectiveRank } = await estimateSpectrum(shown, context);
      const own = energies.find((each) => each.layer === layer && each.input === input);
      report.inputs.push({
        layer, input, size: shown.size, spectrum: values, effectiveRank,
        ritzValues: own?.ritzValues ?? [], nextRitzValue: own?.nextRitzValue ?? null,
        anglesDegrees: grams.knowledge && grams.task && (await anglesBetween(grams.knowledge, grams.task, rank, context)),
      });
      for (const module of modules.filter((each) => each.input === input)) report.modules.push(await moduleReport(module, start, grams, kernels));
    }
    onProgress?.(layer + 1, layers);
  }
  return report;
}

async function moduleReport(module: Module, start: StoredStart, grams: { knowledge: Gram | null; task: Gram | null }, kernels: DenseKernels): Promise<ModuleReport> {
  const { rank } = start.info;
  const rows: Matrix = { rows: rank, cols: module.in, values: Float64Array.from(start.factor(module.name, "A")) };
  const seen = await orthonormalColumns(transposed(rows), kernels, 0);
  const share = async (gram: Gram | null): Promise<number | null> => gram && (await energyShare(gram, seen, kernels));
  return { layer: module.layer, projection: module.name.slice(module.name.lastIndexOf(".") + 1), knowledgeShare: await share(grams.knowledge), taskShare: await share(grams.task) };
}

/** tr(Qᵀ G Q) / tr(G); 0 for an empty Gram. */
async function energyShare({ size, values }: Gram, q: Matrix, kernels: DenseKernels): Promise<number> {
  const image = await product(kernels, { rows: size, cols: size, values }, q);
  let [inside, total] = [0, 0];
  for (let i = 0; i < image.values.length; i++) inside += image.values[i]! * q.values[i]!;
  for (let i = 0; i < size; i++) total += values[i * size + i]!;
  return total > 0 ? inside / total : 0;
}

/** Between the spaces of the R largest eigenvalues of each. */
async function anglesBetween(a: Gram, b: Gram, rank: number, context: { kernels: DenseKernels; seed: number; signal?: AbortSignal }): Promise<number[]> {
  const whole = ({ size, values }: Gram): Matrix => ({ rows: size, cols: size, values });
  const [first, second] = [await topSubspace(whole(a), rank, context), await topSubspace(whole(b), rank, context)];
  const { singularValues } = await thinSvd(await product(context.kernels, first, second, { transposeA: true }), context.kernels);
  return Array.from(singularValues, (cosine) => (Math.acos(Math.min(1, cosine)) * 180) / Math.PI);
}
