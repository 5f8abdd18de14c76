// A run's events: what is stored, then what comes, without gap or repetition. Rows are read again after every change,
// so a run of another process is followed in the same way.

import type { RunRow } from "../db/runs.ts";
import type { Deps } from "./deps.ts";
import { runDetail, runNote, runSummary, stageViews } from "./run-views.ts";
import type { RowsReport } from "../engine/job-results.ts";
import type { RunEvent } from "./shapes/runs.ts";

const pointsAtOnce = 5000;

export async function* followRun(
  { store, changes }: Deps,
  { id, afterStep }: { id: number; afterStep: number },
  signal: AbortSignal | undefined,
  mustFind: (id: number) => RunRow,
): AsyncGenerator<RunEvent> {
  mustFind(id);
  let step = afterStep;
  let validatedStep = afterStep;
  let retainedStep = afterStep === 0 ? -1 : afterStep; // the first measurement is of step 0
  let noteId = 0;
  let isFirst = true;
  const checkpoints = new Set<number>();
  const shown = { run: "", stages: "", rows: "" };

  for await (const _ of changes.follow(signal)) {
    // The run's row is read first: when it says that the run has ended, everything before its end is in the tables.
    const row = mustFind(id);
    const isOver = row.status !== "queued" && row.status !== "running";

    const run = runSummary(row);
    if (differs(shown, "run", run)) yield { type: "run", run };
    if (isFirst && row.lastStep < step) {
      step = row.lastStep; // the caller saw points that were taken back since
      validatedStep = step;
      retainedStep = Math.min(retainedStep, step);
      yield { type: "rewound", toStep: step };
    }
    const stages = stageViews(store, id);
    if (differs(shown, "stages", stages)) yield { type: "stages", stages };

    const rows = store.runRows.find(id) as RowsReport | null;
    if (rows !== null && differs(shown, "rows", rows)) yield { type: "rows", rows };

    for (const note of store.runNotes.after(id, noteId)) {
      noteId = note.id;
      if (!isFirst && note.kind === "resumed" && note.step !== null && note.step < step) {
        step = note.step;
        validatedStep = Math.min(validatedStep, step);
        retainedStep = Math.min(retainedStep, step);
        for (const later of checkpoints) if (later > step) checkpoints.delete(later);
        yield { type: "rewound", toStep: step };
      }
      yield { type: "note", note: runNote(note) };
    }
    for (;;) {
      const points = store.runPoints.after(id, step, pointsAtOnce);
      if (points.length === 0) break;
      step = points[points.length - 1]!.step;
      yield { type: "points", points };
    }
    const validations = store.runValidations.after(id, validatedStep);
    if (validations.length > 0) {
      validatedStep = validations[validations.length - 1]!.step;
      yield { type: "validations", validations };
    }
    const retentions = store.runRetentions.after(id, retainedStep);
    if (retentions.length > 0) {
      retainedStep = retentions[retentions.length - 1]!.step;
      yield { type: "retentions", retentions };
    }
    for (const checkpoint of store.checkpoints.list(id)) {
      if (checkpoints.has(checkpoint.step)) continue;
      checkpoints.add(checkpoint.step);
      yield { type: "checkpoint", checkpoint };
    }
    if (isOver) {
      yield { type: "ended", run: runDetail(store, mustFind(id)) };
      return;
    }
    isFirst = false;
  }
}

function differs<K extends "run" | "stages" | "rows">(shown: Record<K, string>, key: K, value: unknown): boolean {
  const text = JSON.stringify(value);
  if (shown[key] === text) return false;
  shown[key] = text;
  return true;
}
