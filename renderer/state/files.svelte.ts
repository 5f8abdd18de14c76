// Walks this machine's folders for the file dialog.

import { errorParts } from "../../main/rpc/client.ts";
import type { FileEntry, FileListing } from "../../main/rpc/contract.ts";
import type { Connection, Problem } from "./connection.svelte.ts";

export class FilesState {
  listing = $state.raw<FileListing | null>(null);
  problem = $state.raw<Problem | null>(null);
  isLoading = $state(false);
  #connection: Connection;
  #asked = 0;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Null: the home folder. A folder that cannot be listed leaves the old one in view. */
  async open(dir: string | null): Promise<void> {
    const asked = ++this.#asked;
    this.isLoading = true;
    try {
      const listing = await this.#connection.calls.files.list({ dir });
      if (asked !== this.#asked) return;
      this.listing = listing;
      this.problem = null;
    } catch (error) {
      if (asked === this.#asked) this.problem = errorParts(error);
    } finally {
      if (asked === this.#asked) this.isLoading = false;
    }
  }
}

/** Entries to show: folders always, data files only where a file is wanted and has one of the extensions. */
export function shownEntries(entries: readonly FileEntry[], wanted: "folder" | "file", extensions: readonly string[]): FileEntry[] {
  return entries.filter(({ kind, name }) => {
    if (kind !== "data") return true;
    return wanted === "file" && extensions.some((extension) => name.toLowerCase().endsWith(`.${extension}`));
  });
}
