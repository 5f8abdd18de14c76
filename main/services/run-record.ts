// Writes a working run's events into the store, in batches: points and progress every quarter second, a checkpoint only
// after the points before it. Nothing is written for a run that its owner has lost.

import { existsSync } from "node:fs";
import type { ErrorParts } from "../../native-models/errors.ts";
import type { Emit, JobEvent, ProgressEvent, TrainPoint } from "../engine/events.ts";
import type { Deps } from "./deps.ts";

const batchMs = 250;

interface Note {
  kind: "warning" | "resumed" | "interrupted" | "reused";
  text: string;
  step?: number;
  warning?: unknown;
}

export interface RunRecord {
  emit: Emit;
  note(note: Note): void;
  /** Writes what is held back, and stops the clock. */
  close(): void;
}

export function recordRun({ store, changes, now }: Deps, runId: number, owner: string): RunRecord {
  let points: TrainPoint[] = [];
  let progress: ProgressEvent | null = null;
  let said: string | undefined; // a stage may end between two looks at it: what it said of itself goes with the next one's
  let timer: NodeJS.Timeout | null = null;

  function flush(): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (points.length === 0 && progress === null) return;
    store.together(() => {
      if (store.runs.find(runId)?.owner !== owner) return;
      store.runPoints.putAll(runId, points);
      if (progress !== null) store.runs.setProgress(runId, owner, progress);
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
      if (store.runs.find(runId)?.owner === owner) work();
    });
    changes.touch();
  }

  /** The run is as it was at the checkpoint: what came later is gone, and what nobody stored before it is made up for. */
  function goBackTo({ step, path, history }: Extract<JobEvent, { type: "resumed" }>): void {
    store.runPoints.removeAfter(runId, step);
    store.runValidations.removeAfter(runId, step);
    store.runRetentions.removeAfter(runId, step);
    const listed = store.checkpoints.list(runId);
    for (const later of listed) if (later.step > step) store.checkpoints.remove(runId, later.step);
    if (!listed.some((each) => each.step === step)) store.checkpoints.put(runId, { step, path, writtenMs: now() });
    if (history === null) return;
    store.runPoints.putAll(runId, history.points);
    for (const point of history.validations) store.runValidations.put(runId, point);
    for (const point of history.retentions) store.runRetentions.put(runId, point);
    const noted = new Set(store.runNotes.after(runId, 0).map(({ text }) => text));
    for (const warning of history.warnings.filter((each) => !noted.has(warningText(each)))) addNote(warningNote(warning));
  }

  const addNote = ({ kind, text, step, warning }: Note): void => store.runNotes.add({ runId, atMs: now(), kind, step: step ?? null, text, warning: warning ?? null });
  const note: RunRecord["note"] = (noted) => writeNow(() => addNote(noted));

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
        writeNow(() => goBackTo(event));
        note({ kind: "resumed", step: event.step, text: `Training went on from the checkpoint of step ${event.step}.` });
      } else if (event.type === "warning") {
        note(warningNote(event.warning));
      }
    },
  };
}

const warningText = ({ what, fix }: ErrorParts): string => `${what} ${fix}`;
const warningNote = (warning: ErrorParts): Note => ({ kind: "warning", text: warningText(warning), warning });
