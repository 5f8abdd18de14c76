// How much room files take.

import { statSync } from "node:fs";
import { filesOf } from "../engine/file-hash.ts";

/** Bytes of a file, or of all files in a folder; 0 where nothing is there (yet, or no more). */
export function bytesOf(path: string): number {
  try {
    return filesOf(path).reduce((sum, file) => sum + (statSync(file.path, { throwIfNoEntry: false })?.size ?? 0), 0);
  } catch {
    return 0;
  }
}
