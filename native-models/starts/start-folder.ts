// A start folder: what training begins from and resumes against.
// start.json says how it was made; start.safetensors holds NAME.A [R,in], NAME.B [out,R] and, where the method has them,
// NAME.singularValues [R], all float32. Written module by module beside its place and renamed when whole.

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { readJsonFile, partialName, unwritable, writeFileWhole } from "../checkpoint/file-bytes.ts";
import { createSafetensors } from "../checkpoint/safetensors-writer.ts";
import { openSafetensors } from "../checkpoint/safetensors.ts";
import { UserError } from "../errors.ts";
import type { AdapterStart, LayerInput, Method } from "../nullspace/types.ts";
import type { AdapterKind } from "../programs/adapters.ts";
import type { Module } from "../programs/names.ts";
import type { ProjectionStart } from "./method.ts";
import { isMethod } from "./methods.ts";

const formatVersion = 1;
const limitBytes = 64 * 1024 * 1024;

/** What the calibration says about one layer input's update space. */
export interface InputEnergy {
  layer: number;
  input: LayerInput;
  size: number;
  /** Calibration energy inside the space, the most it may exceed the least possible by, and that of all directions. */
  energy: number;
  energyExcess: number | null;
  totalEnergy: number;
  ritzValues: number[];
  nextRitzValue: number | null;
}

export interface StartInfo {
  method: Method;
  kind: AdapterKind;
  rank: number;
  seed: number;
  modelFingerprint: string;
  /** Fingerprints of the Gram files of knowledge text and of the task's prompts; null where the method does not look at them. */
  gramFingerprint: string | null;
  taskGramFingerprint: string | null;
  modules: readonly Pick<Module, "name" | "out" | "in">[];
  /** One entry a layer input; empty where the method has no update space. */
  energies: readonly InputEnergy[];
}

export interface StartWriter {
  write(name: string, start: ProjectionStart): void;
  finish(energies: readonly InputEnergy[]): void;
  abandon(): void;
}

/** Opens `folder` for writing; what was there before is replaced only by `finish`. */
export function writeStart(folder: string, info: Omit<StartInfo, "energies">): StartWriter {
  const hasSingularValues = info.kind !== "zero";
  const target = resolve(folder);
  requirePlace(target);
  const partial = partialName(target);
  try {
    mkdirSync(partial, { recursive: true });
  } catch (cause) {
    throw unwritable(target, cause);
  }
  const discard = (): void => rmSync(partial, { recursive: true, force: true });
  const { rank } = info;
  const plans = info.modules.flatMap(({ name, out, in: size }) => [
    { name: `${name}.A`, dtype: "F32" as const, shape: [rank, size] },
    { name: `${name}.B`, dtype: "F32" as const, shape: [out, rank] },
    ...(hasSingularValues ? [{ name: `${name}.singularValues`, dtype: "F32" as const, shape: [rank] }] : []),
  ]);
  let tensors: ReturnType<typeof createSafetensors>;
  try {
    tensors = createSafetensors(join(partial, "start.safetensors"), plans, { format: "nullspace-start" });
  } catch (cause) {
    discard();
    throw cause;
  }
  return {
    write(name, start) {
      tensors.write(`${name}.A`, start.a);
      tensors.write(`${name}.B`, start.b);
      if (hasSingularValues && start.singularValues) tensors.write(`${name}.singularValues`, Float32Array.from(start.singularValues));
    },
    finish(energies) {
      tensors.finish();
      const whole: StartInfo = { ...info, energies };
      writeFileWhole(join(partial, "start.json"), `${JSON.stringify({ format: "nullspace-start", version: formatVersion, ...whole }, null, 2)}\n`);
      try {
        replaceFolder(partial, target);
      } catch (cause) {
        discard();
        throw unwritable(target, cause);
      }
    },
    abandon() {
      tensors.abort();
      discard();
    },
  };
}

export interface StoredStart {
  folder: string;
  info: StartInfo;
  /** A and B of one module. */
  read(name: string): AdapterStart;
  /** One of the two alone. */
  factor(name: string, side: "A" | "B"): Float32Array;
  singularValues(name: string): Float32Array | null;
}

export function readStart(folder: string): StoredStart {
  const file = join(folder, "start.json");
  const json = readJsonFile(file, limitBytes);
  if (json === null) {
    throw new UserError({ what: "This folder holds no start.json.", where: folder, fix: "Give the folder that `nullspace init` wrote." });
  }
  const info = checkedInfo(json, file);
  const tensors = openSafetensors(join(folder, "start.safetensors"));
  const shapeMustBe = (name: string, shape: readonly number[]): void => {
    const found = tensors.shape(name);
    if (found.length === shape.length && found.every((side, i) => side === shape[i])) return;
    throw new UserError({
      what: `${name} is [${found.join(", ")}], but start.json says [${shape.join(", ")}].`,
      where: tensors.file,
      fix: "Make the start again with `nullspace init`.",
    });
  };
  const modules = new Map(info.modules.map((module) => [module.name, module]));
  const factor = (name: string, side: "A" | "B"): Float32Array => {
    const module = modules.get(name);
    if (!module) throw new Error(`${folder}: the start has no module ${name}`);
    shapeMustBe(`${name}.${side}`, side === "A" ? [info.rank, module.in] : [module.out, info.rank]);
    return tensors.f32(`${name}.${side}`);
  };
  return {
    folder,
    info,
    read: (name) => ({ rank: info.rank, a: factor(name, "A"), b: factor(name, "B") }),
    factor,
    singularValues: (name) => (tensors.entries.has(`${name}.singularValues`) ? tensors.f32(`${name}.singularValues`) : null),
  };
}

/** Refuses a start that was made from another model. */
export function requireStartOf(start: StoredStart, modelFingerprint: string): void {
  if (start.info.modelFingerprint === modelFingerprint) return;
  throw new UserError({
    what: "The start was made from another model, or the model's files have changed since.",
    where: join(start.folder, "start.json"),
    fix: "Make the start again from this model with `nullspace init`.",
  });
}

function checkedInfo(json: Record<string, unknown>, file: string): StartInfo {
  const wrong = (field: string): UserError =>
    new UserError({ what: `The field "${field}" is missing or not as this program writes it.`, where: `${file}: ${field}`, fix: "Make the start again with `nullspace init`." });
  if (json["format"] !== "nullspace-start") throw wrong("format");
  if (json["version"] !== formatVersion) throw wrong("version");
  const { method, kind, rank, seed, modelFingerprint, gramFingerprint, taskGramFingerprint = null, modules, energies } = json; // older starts have no task
  if (typeof method !== "string" || !isMethod(method)) throw wrong("method");
  if (kind !== "both" && kind !== "b" && kind !== "zero") throw wrong("kind");
  if (!isCount(rank) || rank < 1) throw wrong("rank");
  if (!isCount(seed)) throw wrong("seed");
  if (typeof modelFingerprint !== "string") throw wrong("modelFingerprint");
  if (gramFingerprint !== null && typeof gramFingerprint !== "string") throw wrong("gramFingerprint");
  if (taskGramFingerprint !== null && typeof taskGramFingerprint !== "string") throw wrong("taskGramFingerprint");
  if (!Array.isArray(modules) || !modules.every(isModule)) throw wrong("modules");
  if (!Array.isArray(energies)) throw wrong("energies");
  return { method, kind, rank, seed, modelFingerprint, gramFingerprint, taskGramFingerprint, modules, energies: energies as InputEnergy[] };
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isModule(value: unknown): value is StartInfo["modules"][number] {
  if (typeof value !== "object" || value === null) return false;
  const module = value as Record<string, unknown>;
  return typeof module["name"] === "string" && isCount(module["out"]) && isCount(module["in"]);
}

/** A folder of something else is not overwritten; an empty one or an older start is. */
function requirePlace(target: string): void {
  if (!existsSync(target) || existsSync(join(target, "start.json"))) return;
  if (statSync(target).isDirectory() && readdirSync(target).length === 0) return;
  throw new UserError({
    what: "Something else is there already.",
    where: target,
    fix: "Choose a folder that does not exist yet, or one that holds an older start.",
  });
}

function replaceFolder(from: string, target: string): void {
  if (!existsSync(target)) return renameSync(from, target);
  const old = partialName(target);
  renameSync(target, old);
  renameSync(from, target);
  rmSync(old, { recursive: true, force: true });
}
