// Files for one test file, in a temporary folder that is removed after it.

import { mkdtempSync, writeFileSync, mkdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "nullspace-data-"));
let made = 0;

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Writes `content` as a new file of that name, alone in a folder; sub-folders in the name are made. */
export function tempFile(name: string, content: string | Uint8Array): string {
  return tempFolder({ [name]: content }, name);
}

/** Writes several files in a new folder and returns the folder, or one file's path. */
export function tempFolder(files: Record<string, string | Uint8Array>, name = ""): string {
  const root = join(folder, String(made++));
  for (const [file, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), content);
  }
  return join(root, name);
}
