// Starts engine processes as Electron utility processes: the packaged app's own binary cannot run as Node (a fuse
// forbids it), and a utility process can load native modules without touching the window's process.
// In: main/engine/launch.ts's contract. Out: the same four functions over utilityProcess.

import { utilityProcess } from "electron";
import { childEntry, type Launch } from "../engine/launch.ts";

export const utilityEngine: Launch = (env) => {
  const child = utilityProcess.fork(childEntry(), [], {
    env: { ...process.env, ...env },
    serviceName: "Nullspace engine",
    stdio: ["ignore", "pipe", "pipe"],
  });
  const killEngine = (): void => {
    if (child.pid !== undefined) process.kill(child.pid, "SIGKILL");
  };
  return {
    get pid() {
      return child.pid;
    },
    send: (message) => child.postMessage(message),
    onMessage: (listener) => void child.on("message", listener),
    onOutput(listener) {
      child.stdout?.setEncoding("utf8").on("data", listener);
      child.stderr?.setEncoding("utf8").on("data", listener);
    },
    // Electron tells no signal here; a process that was killed ends with a code that is not 0.
    onExit: (listener) => void child.on("exit", (code) => listener(code, null)),
    kill() {
      if (child.pid !== undefined) killEngine();
      else child.once("spawn", killEngine); // asked to die before it had started
    },
  };
};
