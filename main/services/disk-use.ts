// How much room files take.

import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

/** Bytes of a file, or of all files in a folder; 0 where nothing is there (yet, or no more). */
export function bytesOf(path: string): number {
  const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  try {
    if (!statSync(path).isDirectory()) return sizeOf(path);
    return readdirSync(path, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .reduce((sum, entry) => sum + sizeOf(join(entry.parentPath, entry.name)), 0);
  } catch {
    return 0;
  }
}
