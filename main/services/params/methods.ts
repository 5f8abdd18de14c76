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
 * What a run takes where none is given, by a study of 24 steps of 4 GSM8K rows at rank 16, one seed (nullspace study), and
 * one of 20 steps before it: the highest rate tried that kept 95 % of the likelihood of right answers to NQ-open, but v2
 * 1e-3 of the two that did (2e-3 kept 96 to 97 %, and runs are longer than 24 steps). At 5e-4 v1 kept 94 and 91 %, its interval
 * reaching 95. The others fell below 95 % at 5e-4 (LoRA 94, MiLoRA 88, EVA 84, CorDA of the task 77, OLoRA 59; PiSSA was not
 * tried) and have the usual rate, which was not tried.
 */
export const defaultLearningRates: Readonly<Record<Method, number>> = {
  "lora-null-v2": 1e-3, "lora-null-v1": 5e-4, "task-null": 5e-4, lora: defaults.learningRate, "corda-knowledge": 5e-4, "corda-task": defaults.learningRate,
  pissa: defaults.learningRate, milora: defaults.learningRate, olora: defaults.learningRate, eva: defaults.learningRate,
};
