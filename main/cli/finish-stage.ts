// Shows a stage's progress and prints its result.

import type { StageEvent } from "../rpc/contract.ts";
import type { Context } from "./context.ts";

export async function finishStage<R extends object>(context: Context, events: AsyncIterable<StageEvent<R>>, text: (result: R) => string): Promise<void> {
  for await (const event of events) {
    if (event.type === "progress") context.progress.show(event.progress);
    else if (event.type === "warning") context.note(`Warning: ${event.warning.what} ${event.warning.fix}`);
    else {
      if (event.isReused) context.note("Found from before, not computed again.");
      context.print({ result: event.result, isReused: event.isReused }, text(event.result));
    }
  }
  if (context.signal.aborted) context.signal.throwIfAborted();
}
