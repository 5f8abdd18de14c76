// The methods of a start: what each reads beside the weights, and the learning rate that it has where none is given.

import type { Method } from "../../../native-models/nullspace/types.ts";
import type { GramNeed } from "../../../native-models/starts/method.ts";
import { defaults } from "./defaults.ts";

export const methods = ["lora-null-v2", "lora-null-v1", "task-null", "lora", "corda-knowledge", "corda-task", "pissa", "milora", "olora", "eva"] as const satisfies readonly Method[];
/** What each method reads besides the weights: text that says what must be kept, the training prompts, both or nothing. */
export const gramNeeds = {
  "lora-null-v2": "knowledge", "lora-null-v1": "knowledge", "task-null": "knowledge and task", lora: "none", "corda-knowledge": "knowledge",
  "corda-task": "task", pissa: "none", milora: "none", olora: "none", eva: "task",
} as const satisfies Record<Method, GramNeed>;
export const readsKnowledge = (method: Method): boolean => gramNeeds[method].includes("knowledge");
export const readsTask = (method: Method): boolean => gramNeeds[method].includes("task");

/**
 * What a run takes where none is given, by a study of 24 steps of 4 GSM8K rows at rank 16, one seed (docs/performance.md):
 * the highest rate tried that kept 95 % of the likelihood of right answers to NQ-open, one step lower where that was close
 * (v2 at 2e-3: 96 %; task-null at 1e-3: 95 %), for runs are longer than 24 steps. LoRA kept 94 % at 5e-4, MiLoRA 88 % and EVA
 * 84 %: they have the usual 2e-4, untried. The others kept less there too (PiSSA 87 %, CorDA of the task 82 %, OLoRA 76 %).
 */
export const defaultLearningRates: Readonly<Record<Method, number>> = {
  "lora-null-v2": 1e-3, "lora-null-v1": 2e-4, "task-null": 5e-4, lora: defaults.learningRate, "corda-knowledge": 5e-4, "corda-task": defaults.learningRate,
  pissa: defaults.learningRate, milora: defaults.learningRate, olora: defaults.learningRate, eva: defaults.learningRate,
};
