// One training at a time writes into a run's folder, and the newest has it. A main process that was stopped for long is taken
// for dead, and another may resume its run while the first engine still works: that one finds at its next write that the
// folder is no longer its own, and stops without writing.

import { randomUUID } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { writeFileWhole } from "../../../native-models/checkpoint/file-bytes.ts";
import { UserError } from "../../../native-models/errors.ts";

export interface FolderHold {
  /** Takes the folder, from whoever had it; makes it where it is not there. */
  take(): void;
  /** Before every write. Throws UserError where a later training has taken the folder. */
  requireHeld(): void;
  /** Leaves the folder without a holder, if it is this one. */
  release(): void;
}

/** Of a run's folder of checkpoints. Nothing is written before `take`. */
export function folderHold(checkpoints: string): FolderHold {
  const file = join(checkpoints, "holder");
  const name = randomUUID();
  const isHeld = (): boolean => readOrNull(file) === name;
  return {
    take: () => writeFileWhole(file, name),
    requireHeld() {
      if (isHeld()) return;
      throw new UserError({
        what: "Another Nullspace process has gone on with this training, because this one had not answered for a while.",
        where: checkpoints,
        fix: "Nothing is lost: follow the run there, or resume it when that process has ended.",
      });
    },
    release() {
      if (isHeld()) rmSync(file, { force: true });
    },
  };
}

function readOrNull(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return null; // the folder was deleted, or the later holder has ended
  }
}
