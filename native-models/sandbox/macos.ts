// The sandbox of macOS: sandbox-exec with a profile that takes away network, new processes, and every file but Python's
// own and one temp folder. macOS has no limit on a process's memory: sandbox.ts watches it.

import { homedir } from "node:os";
import type { Python } from "./python.ts";
import type { SandboxCommand } from "./linux.ts";

export function sandboxExec(python: Python, code: string, folder: string): SandboxCommand {
  const quoted = (path: string): string => `(subpath ${JSON.stringify(path)})`;
  const profile = [
    "(version 1)", "(allow default)", "(deny network*)", "(deny process-fork)",
    "(deny file-write*)", `(allow file-write* ${quoted(folder)} (literal "/dev/null"))`,
    `(deny file-read* ${quoted(homedir())})`, `(allow file-read* ${[...python.folders, folder].map(quoted).join(" ")})`,
  ].join("");
  return { command: "sandbox-exec", args: ["-p", profile, "env", "-i", "PATH=/usr/bin:/bin", `HOME=${folder}`, `TMPDIR=${folder}`, "PYTHONHASHSEED=0", python.path, "-I", "-S", "-c", code] };
}
