// What the demo, the cache, the file picker and the settings take.

import { z } from "zod";
import { path } from "./fields.ts";

export const cacheKinds = ["grams", "starts", "start-reports", "rounded-weights", "other"] as const;
export const cacheParams = z.object({ kind: z.enum(cacheKinds).nullable().default(null) });
export const demoParams = z.object({ model: path });

export const filesParams = z.object({
  /** Null: the home folder. */
  dir: path.nullable().default(null),
});
export const settingsParams = z.object({ theme: z.enum(["system", "light", "dark"]).optional() });
