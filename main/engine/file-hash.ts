// SHA-256 of a file, or of a folder's files with their names; read as streams.

import { createHash } from "node:crypto";
import { createReadStream, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

export interface NamedFile {
  /** What it is called below the path that was asked for; "" where that is the file. */
  name: string;
  path: string;
}

export async function pathHash(path: string): Promise<string> {
  const hash = createHash("sha256");
  for (const file of filesOf(path)) {
    hash.update(`${file.name}\0`);
    for await (const chunk of createReadStream(file.path)) hash.update(chunk as Buffer);
  }
  return hash.digest("hex");
}

/** The file itself, or all files below a folder in the order of their paths. Throws the file system's error where there is nothing. */
export function filesOf(path: string): NamedFile[] {
  if (!statSync(path).isDirectory()) return [{ name: "", path }];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((file) => ({ name: file.slice(path.length), path: file }));
}
