// The Gram file of the golden calibration (16 windows of 256 tokens), computed by our own calibration and kept in .cache
// under the model's fingerprint. In: the golden ids and the real model. Out: an opened Gram file.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { calibrate } from "../../native-models/calibration/calibrate.ts";
import { openCheckpoint } from "../../native-models/checkpoint/checkpoint.ts";
import { openSafetensors } from "../../native-models/checkpoint/safetensors.ts";
import { createGramFile, gramFormatVersion, openGramFile, type GramFile } from "../../native-models/nullspace/gram-file.ts";
import { goldenFile, realModel, repoRoot } from "./shared-paths.ts";

const samples = 16;
const length = 256;

export async function goldenGrams(): Promise<GramFile> {
  const checkpoint = openCheckpoint(realModel());
  const file = join(repoRoot, ".cache", `golden-grams-${gramFormatVersion}-${checkpoint.fingerprint.slice(0, 16)}.safetensors`);
  if (existsSync(file)) return openGramFile(file);
  const ids = openSafetensors(goldenFile("gram.safetensors")).i32("input_ids");
  const info = { modelFingerprint: checkpoint.fingerprint, questionsFingerprint: "golden", samples, length, seed: 0, scaling: "raw" as const, tokens: ids.length };
  const writer = createGramFile(file, checkpoint.config, info);
  try {
    await calibrate({ checkpoint, ids, samples, length, sink: (layer, input, gram) => writer.write(layer, input, gram) });
    writer.finish();
  } catch (error) {
    writer.abandon();
    throw error;
  }
  return openGramFile(file);
}
