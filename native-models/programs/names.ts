// Tensor and module names of Llama checkpoints, as Hugging Face writes them, and the four inputs that projections share.

import type { ModelConfig } from "../checkpoint/types.ts";
import type { LayerInput } from "../nullspace/types.ts";

export const embeddingName = "model.embed_tokens.weight";
export const finalNormName = "model.norm.weight";

export function headName(config: ModelConfig): string {
  return config.tiedEmbeddings ? embeddingName : "lm_head.weight";
}

export type Projection = "q" | "k" | "v" | "o" | "gate" | "up" | "down";

/** The seven projections of a layer in the order of the checkpoint, and the input each reads. */
export const projections: readonly { projection: Projection; path: string; input: LayerInput }[] = [
  { projection: "q", path: "self_attn.q_proj", input: "attention" },
  { projection: "k", path: "self_attn.k_proj", input: "attention" },
  { projection: "v", path: "self_attn.v_proj", input: "attention" },
  { projection: "o", path: "self_attn.o_proj", input: "attentionOutput" },
  { projection: "gate", path: "mlp.gate_proj", input: "mlp" },
  { projection: "up", path: "mlp.up_proj", input: "mlp" },
  { projection: "down", path: "mlp.down_proj", input: "mlpDown" },
];

/** Module name as PEFT and the golden files spell it: "model.layers.3.mlp.up_proj". */
export function moduleName(layer: number, path: string): string {
  return `model.layers.${layer}.${path}`;
}

/** [out, in] of a projection. */
export function projectionShape(config: ModelConfig, projection: Projection): [number, number] {
  const { hidden: D, heads: H, kvHeads: G, headSize: E, mlpWidth: F } = config;
  const shapes: Record<Projection, [number, number]> = {
    q: [H * E, D],
    k: [G * E, D],
    v: [G * E, D],
    o: [D, H * E],
    gate: [F, D],
    up: [F, D],
    down: [D, F],
  };
  return shapes[projection];
}

/** Size of a layer input, the D of its Gram matrix. */
export function inputSize(config: ModelConfig, input: LayerInput): number {
  const { hidden: D, heads: H, headSize: E, mlpWidth: F } = config;
  const sizes: Record<LayerInput, number> = { attention: D, attentionOutput: H * E, mlp: D, mlpDown: F };
  return sizes[input];
}

export interface Module {
  name: string;
  layer: number;
  projection: Projection;
  input: LayerInput;
  out: number;
  in: number;
}

/** Every adapted module of a model, layer by layer. */
export function modulesOf(config: ModelConfig): Module[] {
  return Array.from({ length: config.layers }, (_, layer) =>
    projections.map(({ projection, path, input }): Module => {
      const [out, size] = projectionShape(config, projection);
      return { name: moduleName(layer, path), layer, projection, input, out, in: size };
    }),
  ).flat();
}

/** Modules that read the same input, as one product: their outputs stand side by side, in the order of the checkpoint. */
export interface ModuleGroup {
  /** "model.layers.3.mlp". */
  name: string;
  modules: Module[];
  in: number;
  /** Of all modules together. */
  out: number;
}

export function groupsOf(config: ModelConfig): ModuleGroup[] {
  const groups = Map.groupBy(modulesOf(config), ({ layer, input }) => moduleName(layer, input));
  return [...groups].map(([name, modules]) => ({ name, modules, in: modules[0].in, out: modules.reduce((sum, { out }) => sum + out, 0) }));
}
