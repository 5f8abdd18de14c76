// Ends a process that outgrows its memory, where the system has no limit for it (macOS).

import { execFile } from "node:child_process";

const everyMs = 100;

/** Calls `onTooMuch` once when the process holds more than that; returns its stop. */
export function watchMemory(pid: number, mostBytes: number, onTooMuch: () => void): () => void {
  let isStopped = false;
  const stop = (): void => {
    isStopped = true;
    clearInterval(timer);
  };
  const timer = setInterval(() => {
    execFile("ps", ["-o", "rss=", "-p", String(pid)], (error, stdout) => {
      if (isStopped || error !== null || Number(stdout) * 1024 <= mostBytes) return; // an error: it is gone already
      stop();
      onTooMuch();
    });
  }, everyMs);
  return stop;
}
