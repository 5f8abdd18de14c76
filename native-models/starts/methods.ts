// Every method by the name that the command line, the jobs and the files use.

import type { Method } from "../nullspace/types.ts";
import { cordaKnowledge, cordaTask } from "./corda.ts";
import { eva } from "./eva.ts";
import { loraNullV1, loraNullV2 } from "./lora-null.ts";
import { lora } from "./lora.ts";
import type { StartMethod } from "./method.ts";
import { milora } from "./milora.ts";
import { olora } from "./olora.ts";
import { pissa } from "./pissa.ts";
import { taskNull } from "./task-null.ts";

export const methods: Readonly<Record<Method, StartMethod>> = {
  "lora-null-v1": loraNullV1,
  "lora-null-v2": loraNullV2,
  lora,
  pissa,
  milora,
  "corda-knowledge": cordaKnowledge,
  "corda-task": cordaTask,
  olora,
  eva,
  "task-null": taskNull,
};

export function isMethod(name: string): name is Method {
  return Object.hasOwn(methods, name);
}
