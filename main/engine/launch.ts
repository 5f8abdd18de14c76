// Starts an engine process. Headless it is a fork of the same node; Electron gives a launcher of its own
// (utilityProcess) with the same four functions.

import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface EngineProcess {
  readonly pid: number | undefined;
  send(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
  /** What the process writes to stdout and stderr: kept for the log and for the message when it dies. */
  onOutput(listener: (text: string) => void): void;
  onExit(listener: (code: number | null, signal: string | null) => void): void;
  /** At once, not politely. */
  kill(): void;
}

export type Launch = (env: Record<string, string>) => EngineProcess;

/** Path of the engine's entry: child.ts here, child.js when built. */
export function childEntry(): string {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return fileURLToPath(new URL(`./child.${extension}`, import.meta.url));
}

export const forkEngine: Launch = (env) => {
  const child = fork(childEntry(), [], {
    env: { ...process.env, ...env },
    execArgv: [],
    serialization: "advanced", // keeps NaN and Infinity
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    // Ctrl+C in a terminal goes to the whole group: the engine must not die of it before it was asked to stop.
    detached: process.platform !== "win32",
  });
  return {
    pid: child.pid,
    send(message) {
      if (child.connected) child.send(message as object, () => {}); // a failed send is followed by the exit
    },
    onMessage: (listener) => void child.on("message", listener),
    onOutput(listener) {
      child.stdout?.setEncoding("utf8").on("data", listener);
      child.stderr?.setEncoding("utf8").on("data", listener);
    },
    onExit(listener) {
      let isOver = false;
      const once = (code: number | null, signal: string | null) => {
        if (!isOver) listener(code, signal);
        isOver = true;
      };
      child.on("close", once);
      child.on("error", () => once(null, null));
    },
    kill: () => void child.kill("SIGKILL"),
  };
};
