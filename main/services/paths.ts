// Paths as people write them, made absolute; what is not there is said before any work starts.

import { statSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { UserError } from "../../native-models/errors.ts";

/** Absolute path; "~" is the home folder. */
export function absolute(path: string): string {
  if (path === "~") return homedir();
  if (path.startsWith("~/") || path.startsWith("~\\")) return join(homedir(), path.slice(2));
  return resolve(path);
}

/** Refuses a path where nothing is. `where` names the field that held it. */
export function requireThere(path: string, where: string): void {
  try {
    statSync(path);
  } catch (cause) {
    const isMissing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    throw new UserError(
      {
        what: isMissing ? `There is nothing at ${path}.` : `${path} cannot be opened: ${(cause as Error).message}.`,
        where,
        fix: isMissing ? "Check the path." : "Check the permissions.",
      },
      { cause },
    );
  }
}
