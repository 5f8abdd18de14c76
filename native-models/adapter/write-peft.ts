// Writes a plain LoRA adapter as a PEFT folder: adapter_config.json, adapter_model.safetensors, README.md, and our notes
// on how it was trained (nullspace.json).
// In: the pairs in memory. Out: a folder that is renamed into place when whole. Only keys that old PEFT versions know
// are written, and init_lora_weights is true: any other value makes loading decompose the base again.

import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { partialName, unwritable, writeFileWhole } from "../checkpoint/file-bytes.ts";
import { writeSafetensors } from "../checkpoint/safetensors-writer.ts";
import { notesFile, notesText, type AdapterNotes } from "./adapter-notes.ts";

export interface PeftModule {
  /** Path in the base without ".weight": "model.layers.0.self_attn.q_proj". */
  name: string;
  in: number;
  out: number;
  /** [R,in] */
  a: Float32Array;
  /** [out,R] */
  b: Float32Array;
}

export interface PeftAdapterToWrite {
  /** Name or path of the base, as people will look for it. */
  baseModelName: string;
  rank: number;
  /** The update is (alpha/rank)·B·A. */
  alpha: number;
  modules: readonly PeftModule[];
  /** Layers of the base; when every adapted projection is adapted in all of them, the config names projections only. */
  layers: number;
  /** Markdown put into the model card: data, settings, results. */
  cardText?: string;
  /** How it was trained; absent where that is not known. */
  notes?: AdapterNotes;
}

/** Writes `folder`; an adapter that is there already is replaced. */
export function writePeftAdapter(folder: string, adapter: PeftAdapterToWrite): void {
  for (const module of adapter.modules) checkShapes(module, adapter.rank);
  const dest = resolve(folder);
  const partial = partialName(dest);
  try {
    mkdirSync(partial, { recursive: true });
    writeFileWhole(join(partial, "adapter_config.json"), `${JSON.stringify(configOf(adapter), null, 2)}\n`);
    writeSafetensors(join(partial, "adapter_model.safetensors"), tensorsOf(adapter), { format: "pt" });
    writeFileWhole(join(partial, "README.md"), cardOf(adapter));
    if (adapter.notes !== undefined) writeFileWhole(join(partial, notesFile), notesText(adapter.notes));
    swapIn(partial, dest);
  } catch (cause) {
    rmSync(partial, { recursive: true, force: true });
    throw cause;
  }
}

function configOf({ baseModelName, rank, alpha, modules, layers }: PeftAdapterToWrite): Record<string, unknown> {
  const config: Record<string, unknown> = {
    alpha_pattern: {},
    base_model_name_or_path: baseModelName,
    bias: "none",
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    lora_alpha: alpha,
    lora_dropout: 0,
    modules_to_save: null,
    peft_type: "LORA",
    r: rank,
    rank_pattern: {},
    target_modules: targetModules(modules.map((module) => module.name), layers),
    task_type: "CAUSAL_LM",
    use_dora: false,
    use_rslora: false,
  };
  return Object.fromEntries(Object.entries(config).sort(([x], [y]) => (x < y ? -1 : 1)));
}

/** Last name parts where each occurs once in every layer; else whole paths, which PEFT takes too. */
function targetModules(names: readonly string[], layers: number): string[] {
  const counts = new Map<string, number>();
  for (const name of names) {
    const last = name.slice(name.lastIndexOf(".") + 1);
    counts.set(last, (counts.get(last) ?? 0) + 1);
  }
  const isEverywhere = [...counts.values()].every((count) => count === layers);
  return (isEverywhere ? [...counts.keys()] : [...names]).sort();
}

function tensorsOf({ modules, rank }: PeftAdapterToWrite): Parameters<typeof writeSafetensors>[1] {
  return modules.flatMap((module) => [
    { name: `base_model.model.${module.name}.lora_A.weight`, dtype: "F32" as const, shape: [rank, module.in], data: module.a },
    { name: `base_model.model.${module.name}.lora_B.weight`, dtype: "F32" as const, shape: [module.out, rank], data: module.b },
  ]);
}

function checkShapes({ name, in: inSize, out, a, b }: PeftModule, rank: number): void {
  if (a.length !== rank * inSize || b.length !== out * rank) {
    throw new Error(`${name}: A has ${a.length} and B ${b.length} elements, not ${rank}×${inSize} and ${out}×${rank}`);
  }
}

function cardOf({ baseModelName, rank, alpha, modules, cardText }: PeftAdapterToWrite): string {
  const front = ["---", `base_model: ${JSON.stringify(baseModelName)}`, "library_name: peft", "tags:", "- lora", "- nullspace", "---", ""];
  const about = `LoRA adapter of rank ${rank} (alpha ${alpha}) on ${modules.length} projections, made with Nullspace. Load it with PEFT on the untouched base model.`;
  return `${[...front, "# Adapter", "", about, ...(cardText === undefined ? [] : ["", cardText.trim()])].join("\n")}\n`;
}

// A folder cannot replace another in one step: the old one steps aside first and is removed last.
function swapIn(partial: string, dest: string): void {
  const aside = `${partial}.old`;
  try {
    mkdirSync(dirname(dest), { recursive: true });
    if (existsSync(dest)) renameSync(dest, aside);
    renameSync(partial, dest);
  } catch (cause) {
    if (existsSync(aside) && !existsSync(dest)) renameSync(aside, dest);
    throw unwritable(dest, cause);
  }
  rmSync(aside, { recursive: true, force: true });
}
