// Progress on stderr. On a terminal one line that is written over; elsewhere a line every few seconds, so that a log
// stays short. Out of a job's events; nothing of it ever goes to stdout.

import type { ProgressEvent } from "../rpc/contract.ts";

const lineEveryMs = 5000;
const drawEveryMs = 100;
const barWidth = 24;

export interface ProgressLine {
  /** `extra`: what the user watches beside it, for example the loss. */
  show(progress: ProgressEvent, extra?: string): void;
  /** Takes the line away, so that something else can be written. */
  clear(): void;
}

interface Output {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

export function progressLine(output: Output, now: () => number = () => performance.now()): ProgressLine {
  let shownMs = -Infinity;
  let stage = "";
  let note = "";
  let isDrawn = false;
  return {
    show(progress, extra = "") {
      if (progress.note !== undefined && progress.note !== note) {
        note = progress.note;
        this.clear();
        output.write(`${note}\n`); // a line of its own, which stays
      }
      const isNews = progress.stage !== stage || (progress.total > 0 && progress.done >= progress.total);
      if (!isNews && now() - shownMs < (output.isTTY === true ? drawEveryMs : lineEveryMs)) return;
      shownMs = now();
      stage = progress.stage;
      const text = progressText(progress, extra);
      if (output.isTTY !== true) return void output.write(`${text}\n`);
      output.write(`\r\x1b[2K${text.slice(0, Math.max(20, (output.columns ?? 100) - 1))}`);
      isDrawn = true;
    },
    clear() {
      if (isDrawn) output.write("\r\x1b[2K");
      isDrawn = false;
    },
  };
}

export function progressText({ stage, done, total, unit, ratePerSecond, leftMs }: ProgressEvent, extra: string): string {
  const share = total > 0 ? Math.min(1, done / total) : 0;
  const filled = Math.round(share * barWidth);
  // A total of 0 is not known yet: no bar, and no share of it.
  const parts =
    total > 0
      ? [`${stage} [${"#".repeat(filled)}${".".repeat(barWidth - filled)}] ${Math.floor(share * 100)} %`, `${shortNumber(done)}/${shortNumber(total)} ${unit}`]
      : [`${stage} …`, ...(done > 0 ? [`${shortNumber(done)} ${unit}`] : [])];
  if (ratePerSecond !== null) parts.push(`${shortNumber(ratePerSecond)} ${unit}/s`);
  if (leftMs !== null && total > 0 && done < total) parts.push(`${duration(leftMs)} left`);
  if (extra !== "") parts.push(extra);
  return parts.join(" · ");
}

export function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${String(seconds % 60).padStart(2, "0")} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

function shortNumber(value: number): string {
  if (!Number.isFinite(value)) return "?";
  if (value >= 10_000) return value.toLocaleString("en-US", { maximumFractionDigits: 0 });
  return value.toLocaleString("en-US", { maximumFractionDigits: value >= 100 || Number.isInteger(value) ? 0 : 1, useGrouping: false });
}
