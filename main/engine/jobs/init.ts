// The start: Gram file → an adapter for every projection, written as a start folder.

import { openCheckpoint } from "../../../native-models/checkpoint/checkpoint.ts";
import { openGramFile } from "../../../native-models/nullspace/gram-file.ts";
import { modulesOf } from "../../../native-models/programs/names.ts";
import { buildStarts } from "../../../native-models/starts/build.ts";
import { methods } from "../../../native-models/starts/methods.ts";
import { writeStart } from "../../../native-models/starts/start-folder.ts";
import type { Emit } from "../events.ts";
import type { InitJob, InitResult } from "../jobs.ts";
import { pathHash } from "./file-hash.ts";
import { trackProgress } from "./progress.ts";

export async function runInit(spec: InitJob, emit: Emit, signal: AbortSignal): Promise<InitResult> {
  const started = performance.now();
  const { method, rank, seed, out } = spec;
  const checkpoint = openCheckpoint(spec.model);
  const { kind, grams } = methods[method];
  const needsGrams = grams !== "none";
  const gramFile = needsGrams && spec.grams !== null ? openGramFile(spec.grams) : null;
  const gramFingerprint = gramFile ? await pathHash(gramFile.file) : null;
  const modules = modulesOf(checkpoint.config).map(({ name, out: rows, in: size }) => ({ name, out: rows, in: size }));
  const writer = writeStart(out, { method, kind, rank, seed, modelFingerprint: checkpoint.fingerprint, gramFingerprint, modules });
  try {
    const report = trackProgress({ emit, stage: needsGrams ? "Finding unused directions" : "Making the start", unit: "layers", total: checkpoint.config.layers });
    const built = await buildStarts({
      checkpoint,
      gramFile,
      method,
      rank,
      seed,
      sink: (module, start) => writer.write(module.name, start),
      onProgress: report,
      signal,
    });
    writer.finish(built.energies);
    return { kind: "init", out, modules: built.modules, parameters: built.parameters, energyShare: built.energyShare, elapsedMs: performance.now() - started };
  } catch (error) {
    writer.abandon();
    throw error;
  }
}
