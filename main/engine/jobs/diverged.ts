// What a run that has broken says: at which step, which rows, and the last checkpoint that was good.

import { UserError } from "../../../native-models/errors.ts";
import { listCheckpoints } from "../../../native-models/training/checkpoint-file.ts";
import type { OpenedRun } from "./train-steps.ts";

export function diverged({ spec, checkpoints }: Pick<OpenedRun, "spec" | "checkpoints">, what: string): UserError {
  const [newest] = listCheckpoints(checkpoints);
  return new UserError({
    what,
    where: spec.out,
    fix: `Look at the rows; where they are as they should be, start again with a lower learning rate than ${spec.learningRate}. ${newest ? `The last good checkpoint is ${newest.path}.` : "No checkpoint had been written yet."}`,
  });
}
