// Reads a plain LoRA adapter from a PEFT folder and checks it against the base it is to be used on.
// In: adapter_config.json and adapter_model.safetensors of unknown origin, and the opened base. Out: one float32 pair a
// module with its scale. Whatever would be computed differently from PEFT is refused by name.

import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { z } from "zod";
import { UserError } from "../errors.ts";
import { readJsonFile } from "../checkpoint/file-bytes.ts";
import { openSafetensors } from "../checkpoint/safetensors.ts";
import type { SafetensorsFile } from "../checkpoint/safetensors.ts";
import { shown } from "../checkpoint/safetensors-header.ts";
import type { Checkpoint } from "../checkpoint/types.ts";

export interface LoadedModule {
  /** Path in the base without ".weight". */
  name: string;
  in: number;
  out: number;
  rank: number;
  /** The update of the weight is scale·B·A. */
  scale: number;
  /** [R,in] */
  a: Float32Array;
  /** [out,R] */
  b: Float32Array;
}

export interface PeftAdapter {
  folder: string;
  /** What the adapter says its base was; null where it does not. */
  baseModelName: string | null;
  modules: readonly LoadedModule[];
  /** Ranks that occur, ascending. */
  ranks: readonly number[];
}

const fileNames = { config: "adapter_config.json", weights: "adapter_model.safetensors" } as const;
const largestConfigBytes = 4 * 1024 * 1024;

const configFields = z.object({
  peft_type: z.string(),
  base_model_name_or_path: z.string().nullish(),
  r: z.int().min(1).default(8),
  lora_alpha: z.number().positive().finite().default(8),
  use_rslora: z.boolean().nullish(),
  rank_pattern: z.record(z.string(), z.int().min(1)).nullish(),
  alpha_pattern: z.record(z.string(), z.number().positive().finite()).nullish(),
  use_dora: z.unknown().optional(),
  bias: z.string().nullish(),
  lora_bias: z.unknown().optional(),
  fan_in_fan_out: z.unknown().optional(),
  modules_to_save: z.unknown().optional(),
  layer_replication: z.unknown().optional(),
  trainable_token_indices: z.unknown().optional(),
  target_parameters: z.unknown().optional(),
  init_lora_weights: z.unknown().optional(),
});

type ConfigFields = z.infer<typeof configFields>;

export function readPeftAdapter(folder: string, checkpoint: Checkpoint): PeftAdapter {
  const root = resolve(folder);
  const config = readConfig(join(root, fileNames.config));
  const file = join(root, fileNames.weights);
  if (!existsSync(file)) {
    throw new UserError({
      what: `The adapter has no ${fileNames.weights}.`,
      where: root,
      fix: existsSync(join(root, "adapter_model.bin"))
        ? "Its adapter_model.bin can run code when it is loaded: save the adapter again as safetensors."
        : "Choose a folder that PEFT or Nullspace wrote.",
    });
  }
  const weights = openSafetensors(file);
  const modules = [...pairNames(weights)].map(([name, pair]) => readModule(weights, name, pair, config, checkpoint));
  if (modules.length === 0) throw new UserError({ what: "The adapter holds no LoRA pair.", where: file, fix: "Choose another adapter." });
  return {
    folder: root,
    baseModelName: config.base_model_name_or_path ?? null,
    modules,
    ranks: [...new Set(modules.map((module) => module.rank))].sort((x, y) => x - y),
  };
}

function readConfig(file: string): ConfigFields {
  const json = readJsonFile(file, largestConfigBytes);
  if (json === null) {
    throw new UserError({ what: "The adapter has no adapter_config.json.", where: file, fix: "Choose a folder that PEFT or Nullspace wrote." });
  }
  const parsed = configFields.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw new UserError({ what: `${issue.message}.`, where: `${file}: ${issue.path.join(".")}`, fix: "Mend this field, or save the adapter again." });
  }
  refuseUnsupported(file, parsed.data);
  return parsed.data;
}

// Inits that change the base's weights: their adapters fit the changed base, not the one on disk.
const harmlessInits: readonly unknown[] = [true, false, null, undefined, "gaussian", "eva", "orthogonal"];

function refuseUnsupported(file: string, fields: ConfigFields): void {
  const isSet = (value: unknown): boolean => value !== undefined && value !== null && value !== false && !(Array.isArray(value) && value.length === 0);
  const unsupported: [boolean, keyof ConfigFields, string][] = [
    [fields.peft_type !== "LORA", "peft_type", `It is ${shown(fields.peft_type)}; only LORA is supported.`],
    [isSet(fields.use_dora), "use_dora", "DoRA adapters are not supported: their update is no plain B·A."],
    [(fields.bias ?? "none") !== "none", "bias", `It trains biases (${shown(fields.bias ?? "")}), which is not supported.`],
    [isSet(fields.lora_bias), "lora_bias", "It has biases on B, which is not supported."],
    [isSet(fields.fan_in_fan_out), "fan_in_fan_out", "It is for layers with transposed weights, which Llama models do not have."],
    [isSet(fields.modules_to_save), "modules_to_save", "It replaces whole modules besides LoRA, which is not supported."],
    [isSet(fields.layer_replication), "layer_replication", "It repeats layers of the base, which is not supported."],
    [isSet(fields.trainable_token_indices), "trainable_token_indices", "It changes token embeddings, which is not supported."],
    [isSet(fields.target_parameters), "target_parameters", "It adapts bare parameters, which is not supported."],
    [
      !harmlessInits.includes(fields.init_lora_weights), "init_lora_weights",
      `It was started as ${shown(String(fields.init_lora_weights))}, which also changes the base's weights, so it does not fit the base as it is.`,
    ],
  ];
  for (const [is, field, what] of unsupported) {
    if (is) throw new UserError({ what, where: `${file}: ${field}`, fix: "Choose a plain LoRA adapter, or convert this one to plain LoRA with PEFT." });
  }
}

interface Pair {
  a?: string;
  b?: string;
}

/** Tensor names by module; a name that is no part of a LoRA pair is refused. */
function pairNames(weights: SafetensorsFile): Map<string, Pair> {
  const pairs = new Map<string, Pair>();
  for (const key of weights.entries.keys()) {
    const match = /^base_model\.model\.(.+)\.lora_(A|B)(?:\.default)?\.weight$/.exec(key);
    if (match === null) {
      throw new UserError({ what: `Tensor ${shown(key)} is no part of a LoRA pair.`, where: weights.file, fix: "Choose a plain LoRA adapter in PEFT's layout." });
    }
    const name = match[1]!;
    const pair = pairs.get(name) ?? {};
    const side = match[2] === "A" ? "a" : "b";
    if (pair[side] !== undefined) throw new UserError({ what: `${shown(name)} has lora_${match[2]} twice.`, where: weights.file, fix: "Save the adapter again." });
    pair[side] = key;
    pairs.set(name, pair);
  }
  return pairs;
}

function readModule(weights: SafetensorsFile, name: string, { a, b }: Pair, config: ConfigFields, checkpoint: Checkpoint): LoadedModule {
  const where = `${weights.file}: ${shown(name).slice(1, -1)}`;
  const refuse = (what: string, fix: string): UserError => new UserError({ what, where, fix });
  const base = /^model\.layers\.\d+\.\w+\.\w+_proj$/.test(name) ? checkpoint.tensors.get(`${name}.weight`) : undefined;
  if (base === undefined) {
    throw refuse("The base model has no such projection.", "Use the adapter with the model it was made for; adapters on embeddings or the output head are not supported.");
  }
  if (a === undefined || b === undefined) throw refuse(`Its lora_${a === undefined ? "A" : "B"} is missing.`, "Save the adapter again.");
  const [out, inSize] = base.shape as [number, number];
  const [shapeA, shapeB] = [weights.shape(a), weights.shape(b)];
  const rank = shapeA[0] ?? 0;
  if (shapeA.length !== 2 || shapeB.length !== 2 || rank < 1 || shapeB[1] !== rank || shapeA[1] !== inSize || shapeB[0] !== out) {
    throw refuse(
      `A is ${shapeA.join(" × ")} and B ${shapeB.join(" × ")}; for a base weight of ${out} × ${inSize} they must be R × ${inSize} and ${out} × R.`,
      "Use the adapter with the model it was made for.",
    );
  }
  const announced = patternValue(config.rank_pattern, name, where) ?? config.r;
  if (announced !== rank) throw refuse(`Its rank is ${rank}, but adapter_config.json says ${announced}.`, "Save the adapter again, so that both agree.");
  const alpha = patternValue(config.alpha_pattern, name, where) ?? config.lora_alpha;
  const loaded = { a: weights.f32(a), b: weights.f32(b) };
  if (!loaded.a.every(Number.isFinite) || !loaded.b.every(Number.isFinite)) {
    throw refuse("It holds values that are not finite numbers.", "The training that made it has diverged: choose an earlier checkpoint.");
  }
  return { name, in: inSize, out, rank, scale: alpha / (config.use_rslora === true ? Math.sqrt(rank) : rank), ...loaded };
}

/** PEFT's patterns are regular expressions over the end of a module's path; plain paths are the ones in use. */
function patternValue(patterns: Readonly<Record<string, number>> | null | undefined, name: string, where: string): number | null {
  for (const [pattern, value] of Object.entries(patterns ?? {})) {
    const plain = pattern.replace(/^\^/, "").replaceAll("\\.", ".");
    if (!/^[\w.]+$/.test(plain)) {
      throw new UserError({ what: `The rank or alpha pattern ${shown(pattern)} is not a plain module path.`, where, fix: "Save the adapter with plain module names in its patterns." });
    }
    if (pattern.startsWith("^") ? name === plain : name === plain || name.endsWith(`.${plain}`)) return value;
  }
  return null;
}
