// Names of work: a stage's key is the hash of all that its output depends on, so the same work is found again.
// Model weights count by the fingerprint of their headers, sizes and times; other files by their content.

import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../native-models/errors.ts";
import { filesOf, pathHash } from "../engine/file-hash.ts";

/** Raised when a stage's output changes for the same settings, so that older outputs are not taken for it. */
const stageVersions = { calibrate: 2, "calibrate-task": 2, init: 2, "start-report": 1, train: 1, probe: 1, "base-answers": 1, "retention-base": 1 } as const;

export function stageKey(stage: keyof typeof stageVersions, dependsOn: Record<string, string | number | boolean | null>): string {
  const sorted = Object.entries(dependsOn).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256").update(JSON.stringify([stage, stageVersions[stage], sorted])).digest("hex");
}

/** SHA-256 of a file's bytes, or of a folder's files with their names. */
export async function contentHash(path: string, where: string): Promise<string> {
  try {
    return await pathHash(path);
  } catch (cause) {
    throw new UserError({ what: `${path} cannot be read: ${reasonOf(cause)}.`, where, fix: "Check the path and its permissions." }, { cause });
  }
}

/** Of a model's tokenizer, which the fingerprint of its weights does not cover; null where it has none yet. */
export async function tokenizerHash(model: string): Promise<string | null> {
  const file = join(model, "tokenizer.json");
  return existsSync(file) ? contentHash(file, "model") : null;
}

/** Names, sizes and times of the files at `path`: changes when an output was touched. Null when nothing is there. */
export function fileStamp(path: string): string | null {
  try {
    const files = filesOf(path).map(({ name, path: file }) => {
      const { size, mtimeMs } = statSync(file);
      return `${name} ${size} ${mtimeMs}`;
    });
    return files.length === 0 ? null : createHash("sha256").update(files.join("\n")).digest("hex");
  } catch {
    return null; // gone or unreadable: not the output that was written
  }
}

function reasonOf(cause: unknown): string {
  const code = (cause as NodeJS.ErrnoException).code;
  return code === "ENOENT" ? "it is not there" : code === "EACCES" ? "no permission" : String(cause);
}
