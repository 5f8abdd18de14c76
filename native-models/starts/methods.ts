// Every method by the name that the command line, the jobs and the files use.

import type { Method } from "../nullspace/types.ts";
import { loraNullV1, loraNullV2 } from "./lora-null.ts";
import { lora } from "./lora.ts";
import type { StartMethod } from "./method.ts";

export const methods: Readonly<Record<Method, StartMethod>> = {
  "lora-null-v1": loraNullV1,
  "lora-null-v2": loraNullV2,
  lora,
};

export function isMethod(name: string): name is Method {
  return Object.hasOwn(methods, name);
}
