// Folders and data files of this machine, for a picker in the browser. Lists names only; contents are never read, and
// only what could be picked is shown: folders, model folders and data files. Hidden entries are left out.

import { existsSync, readdirSync, statSync, type Dirent } from "node:fs";
import { homedir } from "node:os";
import { dirname, extname, join } from "node:path";
import { UserError } from "../../native-models/errors.ts";
import type { Deps } from "./deps.ts";
import { absolute } from "./paths.ts";
import type { FileEntry, FileListing } from "./shapes/app.ts";
import { appRoot } from "./system.ts";

const dataExtensions = new Set([".jsonl", ".json", ".csv", ".parquet", ".gz", ".txt", ".safetensors"]);
const mostEntries = 2000;

export function filesService({ store, readers, home }: Pick<Deps, "store" | "readers" | "home">) {
  function places(): FileListing["places"] {
    const fixed = [
      { name: "Home", path: homedir() },
      { name: "Samples", path: join(appRoot(), "samples") },
      { name: "Runs", path: home.runs },
      ...store.folders.list().map(({ path }) => ({ name: path, path })),
    ];
    return fixed.filter(({ path }) => existsSync(path));
  }

  function entryOf(dir: string, entry: Dirent): FileEntry | null {
    const path = join(dir, entry.name);
    const stat = statSync(path, { throwIfNoEntry: false }); // follows links
    if (stat === undefined || entry.name.startsWith(".")) return null;
    const { mtimeMs: modifiedMs } = stat;
    if (stat.isDirectory()) {
      const kind = readers.looksLikeModel(path) ? "model" : "folder";
      return { name: entry.name, path, kind, sizeBytes: null, modifiedMs };
    }
    if (!stat.isFile() || !dataExtensions.has(extname(entry.name).toLowerCase())) return null;
    return { name: entry.name, path, kind: "data", sizeBytes: stat.size, modifiedMs };
  }

  return {
    list(wanted: string | null): FileListing {
      const dir = absolute(wanted ?? homedir());
      let found: Dirent[];
      try {
        found = readdirSync(dir, { withFileTypes: true });
      } catch (cause) {
        throw new UserError({ what: `The folder cannot be listed: ${(cause as Error).message}.`, where: dir, fix: "Choose another folder." }, { cause });
      }
      found.sort((a, b) => a.name.localeCompare(b.name));
      const entries: FileEntry[] = [];
      for (const entry of found) {
        if (entries.length === mostEntries) break;
        const shown = readable(() => entryOf(dir, entry));
        if (shown !== null) entries.push(shown);
      }
      const parent = dirname(dir);
      return { dir, parent: parent === dir ? null : parent, places: places(), entries, isCut: entries.length === mostEntries };
    },
  };
}

/** Null for an entry that may not be looked at. */
function readable<T>(look: () => T | null): T | null {
  try {
    return look();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "EACCES" || code === "EPERM" || code === "ELOOP") return null;
    throw error;
  }
}
