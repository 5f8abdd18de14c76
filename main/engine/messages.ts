// What crosses the process border: jobs and cancels down, events up. Each side checks what it gets, once, here.

import { z } from "zod";
import { jobEvent } from "./event-messages.ts";
import { jobSpec } from "./job-messages.ts";
import { whole } from "./message-fields.ts";

/** To the engine process. */
export const downMessage = z.discriminatedUnion("type", [
  z.object({ type: z.literal("start"), jobId: whole, spec: jobSpec }),
  z.object({ type: z.literal("cancel"), jobId: whole }),
]);
export type DownMessage = z.output<typeof downMessage>;

/** From the engine process. */
export const upMessage = z.object({ jobId: whole, event: jobEvent });
export type UpMessage = z.output<typeof upMessage>;
