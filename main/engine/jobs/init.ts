// The start: Gram files → an adapter for every projection, written as a start folder.

import { openCheckpoint } from "../../../native-models/checkpoint/checkpoint.ts";
import { openGramFile } from "../../../native-models/nullspace/gram-file.ts";
import { modulesOf } from "../../../native-models/programs/names.ts";
import { buildStarts } from "../../../native-models/starts/build.ts";
import { methods } from "../../../native-models/starts/methods.ts";
import { writeStart, type InputEnergy } from "../../../native-models/starts/start-folder.ts";
import type { Emit } from "../events.ts";
import type { InitJob } from "../jobs.ts";
import type { InitResult } from "../job-results.ts";
import { pathHash } from "../file-hash.ts";
import { trackProgress } from "./progress.ts";

export async function runInit(spec: InitJob, emit: Emit, signal: AbortSignal): Promise<InitResult> {
  const started = performance.now();
  const { method, rank, seed, out } = spec;
  const checkpoint = openCheckpoint(spec.model);
  const { kind, grams: need } = methods[method];
  const gramFile = need.includes("knowledge") && spec.grams !== null ? openGramFile(spec.grams) : null;
  const taskGramFile = need.includes("task") && spec.taskGrams !== null ? openGramFile(spec.taskGrams) : null;
  const gramFingerprint = gramFile && (await pathHash(gramFile.file));
  const taskGramFingerprint = taskGramFile && (await pathHash(taskGramFile.file));
  const modules = modulesOf(checkpoint.config).map(({ name, out: rows, in: size }) => ({ name, out: rows, in: size }));
  const writer = writeStart(out, { method, kind, rank, seed, modelFingerprint: checkpoint.fingerprint, gramFingerprint, taskGramFingerprint, modules });
  try {
    let layersDone = 0;
    let solver: string | null = null;
    const report = trackProgress({ emit, note: () => solver ?? undefined, stage: need === "none" ? "Making the start" : "Choosing directions", unit: "layers", total: checkpoint.config.layers });
    const { modules: count, parameters, energies, energyShare } = await buildStarts({
      checkpoint,
      gramFile,
      taskGramFile,
      method,
      rank,
      seed,
      sink: (module, start) => writer.write(module.name, start),
      onProgress: (done) => report((layersDone = done)),
      onSolver: (line) => {
        solver = line;
        report(layersDone);
      },
      signal,
    });
    writer.finish(energies);
    return { kind: "init", out, modules: count, parameters, energyShare, energyExcess: worstExcess(energies), solver, elapsedMs: performance.now() - started };
  } catch (error) {
    writer.abandon();
    throw error;
  }
}

function worstExcess(energies: readonly InputEnergy[]): number | null {
  const shares = energies.flatMap(({ energy, energyExcess }) => (energyExcess === null || energy === 0 ? [] : [energyExcess / energy]));
  return shares.length === 0 ? null : Math.max(...shares);
}
