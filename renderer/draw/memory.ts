// A memory estimate in words: the terms of a run's training, and how much of the machine they take.

import type { MemoryPlan, RunMemory } from "../../main/rpc/contract.ts";
import { formatBytes } from "./format.ts";

const termNames: Record<keyof MemoryPlan["terms"], string> = {
  weights: "Weights",
  adapters: "Adapters",
  optimizer: "Optimizer",
  activations: "Activations",
  logits: "Logits",
  validation: "Validation, retention",
  workspace: "Workspace",
  process: "Process",
};

/** "Weights 513 MiB", …, as the terms stand in the sum; those of nothing are left out. */
export function termLines({ terms }: MemoryPlan): { name: string; size: string; share: number }[] {
  const total = Object.values(terms).reduce((sum, bytes) => sum + bytes, 0);
  return (Object.keys(termNames) as (keyof MemoryPlan["terms"])[])
    .filter((term) => terms[term] > 0)
    .map((term) => ({ name: termNames[term], size: formatBytes(terms[term]), share: terms[term] / total }));
}

/** What is computed again, where it is more than the usual. */
export function recomputedNote({ recomputed }: MemoryPlan): string | null {
  if (recomputed === "scores") return "Attention scores are computed twice to fit: a little slower.";
  return recomputed === "layer" ? "Whole layers are computed twice to fit: about a third slower." : null;
}

/** "1.4 GiB · measured 1.3 GiB". */
export function estimateBesideMeasured({ estimate, measuredBytes }: RunMemory): string {
  return measuredBytes === null ? formatBytes(estimate.totalBytes) : `${formatBytes(estimate.totalBytes)} · measured ${formatBytes(measuredBytes)}`;
}
