// Where the store is: NULLSPACE_HOME, else the standard place of the system for an app's data.

import { mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { UserError } from "../../native-models/errors.ts";

export interface Home {
  folder: string;
  database: string;
  /** One folder a run. */
  runs: string;
  /** Outputs of calibrate and init, by key. */
  cache: string;
  logs: string;
}

export function homeFolder(env: NodeJS.ProcessEnv, platform: NodeJS.Platform = process.platform): string {
  const own = env["NULLSPACE_HOME"];
  if (own !== undefined && own !== "") return resolve(own);
  if (platform === "win32") return join(env["APPDATA"] ?? join(homedir(), "AppData", "Roaming"), "Nullspace");
  if (platform === "darwin") return join(homedir(), "Library", "Application Support", "Nullspace");
  const data = env["XDG_DATA_HOME"];
  return join(data !== undefined && data !== "" ? data : join(homedir(), ".local", "share"), "nullspace");
}

/** Makes the folders of the store. */
export function prepareHome(folder: string): Home {
  const home = {
    folder,
    database: join(folder, "nullspace.db"),
    runs: join(folder, "runs"),
    cache: join(folder, "cache"),
    logs: join(folder, "logs"),
  };
  try {
    for (const part of [home.runs, home.cache, home.logs]) mkdirSync(part, { recursive: true });
  } catch (cause) {
    throw new UserError(
      {
        what: `The store's folder cannot be made: ${(cause as Error).message}.`,
        where: folder,
        fix: "Free the path or give write permission, or set NULLSPACE_HOME to another folder.",
      },
      { cause },
    );
  }
  return home;
}
