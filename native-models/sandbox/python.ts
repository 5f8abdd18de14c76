// Which Python runs programs: the real executable behind whatever "python3" is (a shim, a link), and what it needs to see.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { UserError } from "../errors.ts";

export interface Python {
  /** The executable itself. */
  path: string;
  version: string;
  /** Folders that it reads: its library. */
  folders: string[];
}

const ask = "import sys, json, os; print(json.dumps({'path': os.path.realpath(sys.executable), 'version': sys.version.split()[0], 'folders': sorted({os.path.realpath(p) for p in (sys.base_prefix, sys.base_exec_prefix)})}))";

/** NULLSPACE_PYTHON, python3 or python: the first that is Python 3. */
export async function findPython(env: NodeJS.ProcessEnv = process.env): Promise<Python> {
  const asked = env["NULLSPACE_PYTHON"];
  for (const name of asked === undefined ? ["python3", "python"] : [asked]) {
    const found = await promisify(execFile)(name, ["-I", "-c", ask], { env, timeout: 20_000 }).then(({ stdout }) => JSON.parse(stdout) as Python, () => null);
    if (found !== null && found.version.startsWith("3.")) return found;
  }
  throw new UserError({
    what: "No Python 3 was found: this probe runs Python programs that the model writes.",
    where: asked === undefined ? "python3, python" : `NULLSPACE_PYTHON=${asked}`,
    fix: "Install Python 3 so that the command python3 is there, or set NULLSPACE_PYTHON to it.",
  });
}
