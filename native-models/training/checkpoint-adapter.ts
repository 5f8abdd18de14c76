// A training's checkpoint as an adapter to ask, as it would be exported: also while the training goes on.
// In: RUN/checkpoints/step-N or best-N, and RUN/start beside them. Out: the same modules as the run's PEFT folder.

import { dirname, join } from "node:path";
import type { PeftAdapter } from "../adapter/peft.ts";
import { openSafetensors } from "../checkpoint/safetensors.ts";
import type { Checkpoint } from "../checkpoint/types.ts";
import { UserError } from "../errors.ts";
import { trainedTensors } from "../programs/adapters.ts";
import { modulesOf } from "../programs/names.ts";
import { readStart, requireStartOf } from "../starts/start-folder.ts";
import { requireCheckpoint } from "./checkpoint-file.ts";
import { plainModules } from "./export-adapter.ts";
import { sizeOf, viewsOf } from "./state.ts";

export function readCheckpointAdapter(file: string, checkpoint: Checkpoint): PeftAdapter {
  requireCheckpoint(file);
  const start = readStart(join(dirname(dirname(file)), "start"));
  requireStartOf(start, checkpoint.fingerprint);
  const { rank, kind } = start.info;
  const { config } = checkpoint;
  const views = viewsOf(trainedTensors(modulesOf(config), rank, kind));
  const parameters = openSafetensors(file).f32("parameters");
  if (parameters.length !== sizeOf(views)) {
    throw new UserError({ what: `The checkpoint holds ${parameters.length} parameters; a start of rank ${rank} has ${sizeOf(views)}.`, where: file, fix: "Choose a checkpoint of the run that the folder belongs to." });
  }
  const plain = plainModules({
    config, rank, kind,
    state: { views, parameters },
    start: (name) => start.factor(name.slice(0, -2), name.endsWith(".A") ? "A" : "B"),
  });
  const modules = plain.modules.map((module) => ({ ...module, rank: plain.rank, scale: 1 }));
  return { folder: file, baseModelName: null, modules, ranks: [plain.rank] };
}
