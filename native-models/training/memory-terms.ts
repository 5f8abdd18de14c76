// Names in a memory plan, apart from memory-estimate.ts and the compiler, which load the runtime: the app's own process
// and the window know them too.

import type { Recomputed } from "../programs/train-program.ts";

export const memoryTerms = ["weights", "adapters", "optimizer", "activations", "logits", "validation", "workspace", "process"] as const;
export type MemoryTerm = (typeof memoryTerms)[number];

/** From most memory to least, and from least time to most. */
export const recomputedLevels = ["none", "cheap", "scores", "layer"] as const satisfies readonly Recomputed[];
