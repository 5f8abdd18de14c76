// --method, and what each method is and reads: for `init`, `run` and `study`.

import { Option } from "commander";
import { defaultLearningRates, gramNeeds, methods } from "../services/params/methods.ts";
import { defaults } from "../services/params/defaults.ts";

const about: Record<(typeof methods)[number], string> = {
  "lora-null-v2": "starts in the null space of what calibration read; A stays there, frozen",
  "lora-null-v1": "starts in the null space; A and B train",
  "task-null": "directions that the task uses much and the knowledge little; A stays there",
  lora: "A random, B zero: the usual start",
  "corda-knowledge": "CorDA, knowledge-preserved: the weakest part of W as the knowledge sees it",
  "corda-task": "CorDA, instruction-previewed: the strongest part of W as the task sees it",
  pissa: "PiSSA: the strongest part of W",
  milora: "MiLoRA: the weakest part of W",
  olora: "OLoRA: the first columns of Q of W = QR",
  eva: "EVA: the directions where the task's inputs vary most; B zero",
};

const reads = { knowledge: "--grams", task: "--task-grams", "knowledge and task": "--grams, --task-grams", none: "the weights alone" } as const;

export function methodOption(): Option {
  return new Option("--method <NAME>", "how the adapter starts, see below").choices(methods).default(defaults.method);
}

export function methodsHelp(): string {
  const width = Math.max(...methods.map((name) => name.length));
  return ["", "Methods (with the Gram files that each reads, which `run` makes itself, and the learning rate of a run):", ...methods.map((name) => `  ${name.padEnd(width)}  ${about[name]} (${reads[gramNeeds[name]]}; learning rate ${defaultLearningRates[name]})`)].join("\n");
}
