// A trained state as plain LoRA on the untouched base (peers.md's rule: [A; A0], [B, −B0] at twice the rank; A and B − B0
// where A stayed), written as a PEFT folder.

import type { AdapterNotes } from "../adapter/adapter-notes.ts";
import { combineWithStart } from "../adapter/combine-with-start.ts";
import { writePeftAdapter, type PeftModule } from "../adapter/write-peft.ts";
import type { ModelConfig } from "../checkpoint/types.ts";
import type { AdapterKind } from "../programs/adapters.ts";
import { modulesOf } from "../programs/names.ts";
import { viewOf, type TrainState } from "./state.ts";

export interface ExportOptions {
  folder: string;
  config: ModelConfig;
  baseModelName: string;
  rank: number;
  kind: AdapterKind;
  state: Pick<TrainState, "views" | "parameters">;
  /** The start's tensors: "NAME.A", "NAME.B". */
  start: (name: string) => Float32Array;
  cardText: string;
  notes?: AdapterNotes;
}

export function exportAdapter({ folder, baseModelName, cardText, notes, ...trained }: ExportOptions): void {
  const { rank, modules } = plainModules(trained);
  writePeftAdapter(folder, { baseModelName, rank, alpha: rank, modules, layers: trained.config.layers, cardText, notes });
}

/** The update of every module as one plain pair at the same rank; its scale is 1. */
export function plainModules({ config, rank, kind, state, start }: Pick<ExportOptions, "config" | "rank" | "kind" | "state" | "start">): { rank: number; modules: PeftModule[] } {
  const views = new Map(state.views.map((view) => [view.name, view]));
  const trained = (name: string): Float32Array => {
    const view = views.get(name);
    return view ? (viewOf(state.parameters, view).data as Float32Array) : start(name);
  };
  let exportedRank = rank;
  const modules = modulesOf(config).map(({ name, in: size, out }): PeftModule => {
    const tuned = { rank, a: trained(`${name}.A`), b: trained(`${name}.B`) };
    const plain = kind === "zero" ? tuned : combineWithStart(tuned, { rank, a: start(`${name}.A`), b: start(`${name}.B`) }, { isAFrozen: kind === "b" });
    exportedRank = plain.rank;
    return { name, in: size, out, a: plain.a, b: plain.b };
  });
  return { rank: exportedRank, modules };
}
