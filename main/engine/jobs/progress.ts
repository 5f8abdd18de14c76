// Progress of a long job: how far, how fast over the recent past, how long still. Sends at most four events a second.

import type { Emit } from "../events.ts";

export interface ProgressOptions {
  emit: Emit;
  stage: string;
  unit: string;
  total: number;
  /** Where a resumed job begins: work that took no time here. */
  from?: number;
  /** How the stage is done at the moment, for the events to carry. */
  note?: () => string | undefined;
  now?: () => number;
}

/** Takes the work done so far; the first and the last report always go out. */
export type ReportProgress = (done: number) => void;

const recentMs = 15_000;
const silenceMs = 250;

export function trackProgress({ emit, stage, unit, total, from = 0, note, now = () => performance.now() }: ProgressOptions): ReportProgress {
  let marks: { atMs: number; done: number }[] = [{ atMs: now(), done: from }];
  let sentMs = -Infinity;
  const send = (done: number): void => {
    const atMs = now();
    marks.push({ atMs, done });
    const recent = marks.filter((mark) => atMs - mark.atMs <= recentMs);
    // One older mark stays, so that slow work has a rate too.
    marks = recent.length === marks.length ? marks : marks.slice(marks.length - recent.length - 1);
    if (done !== total && done !== from && atMs - sentMs < silenceMs) return;
    sentMs = atMs;
    const [oldest] = marks;
    const elapsedMs = atMs - oldest.atMs;
    const ratePerSecond = done > oldest.done && elapsedMs > 0 ? ((done - oldest.done) / elapsedMs) * 1000 : null;
    const said = note?.();
    emit({ type: "progress", ...(said !== undefined && { note: said }), stage, done, total, unit, ratePerSecond, leftMs: ratePerSecond === null ? null : ((total - done) / ratePerSecond) * 1000 });
  };
  send(from);
  return send;
}
