// Writes a working run's events into the store, in batches: points and progress every quarter second, a checkpoint only
// after the points before it. Nothing is written for a run that this process has lost.

import { existsSync } from "node:fs";
import type { Emit, ProgressEvent, TrainPoint } from "../engine/events.ts";
import type { Deps } from "./deps.ts";

const batchMs = 250;

export interface RunRecord {
  emit: Emit;
  note(note: { kind: "warning" | "resumed" | "interrupted" | "reused"; text: string; step?: number; warning?: unknown }): void;
  /** Writes what is held back, and stops the clock. */
  close(): void;
}

export function recordRun({ store, changes, membership, now }: Deps, runId: number): RunRecord {
  let points: TrainPoint[] = [];
  let progress: ProgressEvent | null = null;
  let said: string | undefined; // a stage may end between two looks at it: what it said of itself goes with the next one's
  let timer: NodeJS.Timeout | null = null;

  function flush(): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (points.length === 0 && progress === null) return;
    store.together(() => {
      if (store.runs.find(runId)?.owner !== membership.owner()) return;
      store.runPoints.putAll(runId, points);
      if (progress !== null) store.runs.setProgress(runId, membership.owner(), progress);
      store.runSpans.see(runId, now());
    });
    points = [];
    progress = null;
    changes.touch();
  }
  const flushSoon = () => {
    timer ??= setTimeout(flush, batchMs);
  };

  function writeNow(work: () => void): void {
    flush();
    store.together(() => {
      if (store.runs.find(runId)?.owner === membership.owner()) work();
    });
    changes.touch();
  }

  const note: RunRecord["note"] = ({ kind, text, step, warning }) =>
    writeNow(() => store.runNotes.add({ runId, atMs: now(), kind, step: step ?? null, text, warning: warning ?? null }));

  return {
    note,
    close: flush,
    emit(event) {
      if (event.type === "point") {
        points.push(event.point);
        flushSoon();
      } else if (event.type === "progress") {
        said = event.note ?? said;
        progress = said === undefined ? event : { ...event, note: said };
        flushSoon();
      } else if (event.type === "validation") {
        writeNow(() => store.runValidations.put(runId, event.point));
      } else if (event.type === "retention") {
        writeNow(() => store.runRetentions.put(runId, event.point));
      } else if (event.type === "memory") {
        writeNow(() => store.runMemory.put(runId, event.estimate, event.measuredBytes));
      } else if (event.type === "rows") {
        writeNow(() => store.runRows.put(runId, event.rows));
      } else if (event.type === "checkpoint") {
        writeNow(() => {
          store.checkpoints.put(runId, { step: event.step, path: event.path, writtenMs: now() });
          for (const old of store.checkpoints.list(runId)) if (!existsSync(old.path)) store.checkpoints.remove(runId, old.step);
        });
      } else if (event.type === "resumed") {
        writeNow(() => {
          store.runPoints.removeAfter(runId, event.step);
          store.runValidations.removeAfter(runId, event.step);
          store.runRetentions.removeAfter(runId, event.step);
          for (const later of store.checkpoints.list(runId)) if (later.step > event.step) store.checkpoints.remove(runId, later.step);
        });
        note({ kind: "resumed", step: event.step, text: `Training went on from the checkpoint of step ${event.step}.` });
      } else if (event.type === "warning") {
        const { what, fix } = event.warning;
        note({ kind: "warning", text: `${what} ${fix}`, warning: event.warning });
      }
    },
  };
}
