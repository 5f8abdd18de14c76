// Follows a run on the terminal until it ends: stages, progress with the loss, notes. Ctrl+C cancels it and waits.

import type { RunDetail, RunEvent } from "../rpc/contract.ts";
import type { Context } from "./context.ts";
import { rowsText } from "./tables.ts";
import { retentionLine } from "./training-text.ts";

const stageNames: Record<string, string> = {
  calibrate: "Calibration",
  init: "Start",
  train: "Training",
  probe: "Knowledge probe",
  "task-probe": "Task probe",
};

export async function followRun(context: Context, id: number): Promise<RunDetail> {
  const client = context.client();
  const cancel = () => {
    context.note(`Stopping run ${id}; Ctrl+C again ends it at once.`);
    client.runs.cancel({ id }).catch(() => {}); // it has just ended: the loop below sees it
  };
  if (context.signal.aborted) cancel();
  context.signal.addEventListener("abort", cancel);
  try {
    let loss = "";
    const shown = new Map<string, string>();
    let isWaiting = false;
    for await (const event of await client.runs.follow({ id })) {
      if (event.type === "ended") return event.run;
      if (event.type === "points") loss = `loss ${event.points[event.points.length - 1]!.lossNats.toFixed(3)}`;
      else if (event.type === "validations") for (const { step, lossNats, isBest } of event.validations) context.note(`Validation after step ${step}: loss ${lossNats.toFixed(3)}${isBest ? ", the lowest so far" : ""}`);
      else if (event.type === "retentions") for (const point of event.retentions) context.note(retentionLine(point));
      else if (event.type === "note") context.note(event.note.text);
      else if (event.type === "rows") context.note(rowsText(event.rows));
      else if (event.type === "stages") showStages(context, event, shown);
      else if (event.type === "run") {
        if (event.run.status === "queued" && !isWaiting) context.note(`Run ${id} waits until the run before it has ended.`);
        isWaiting = event.run.status === "queued";
        if (event.run.progress !== null) context.progress.show(event.run.progress, event.run.stage === "train" ? loss : "");
      }
    }
    throw new Error(`The events of run ${id} ended before the run did`);
  } finally {
    context.signal.removeEventListener("abort", cancel);
    context.progress.clear();
  }
}

function showStages(context: Context, { stages }: Extract<RunEvent, { type: "stages" }>, shown: Map<string, string>): void {
  for (const { stage, status } of stages) {
    if (shown.get(stage) === status || status === "waiting") continue;
    shown.set(stage, status);
    const name = stageNames[stage] ?? stage;
    if (status === "running") context.note(`${name} …`);
    if (status === "reused") context.note(`${name}: found from before, not computed again.`);
    if (status === "done") context.note(`${name}: done.`);
  }
}

/** Prints the end of a run: its text when done, else its error or that it was cancelled. */
export function endRun(context: Context, run: RunDetail, text: () => string): void {
  if (run.status === "done") return context.print({ run }, text());
  if (run.status === "cancelled") return context.end(null, { run });
  context.end(run.error ?? { what: `Run ${run.id} is ${run.status}.`, where: `run ${run.id}`, fix: "Start it again to go on.", isBug: false }, { run });
}
