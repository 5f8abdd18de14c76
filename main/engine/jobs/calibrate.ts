// Calibration: questions → windows of tokens → the Gram file.

import { calibrate } from "../../../native-models/calibration/calibrate.ts";
import { openCheckpoint } from "../../../native-models/checkpoint/checkpoint.ts";
import { openTokenizer } from "../../../native-models/checkpoint/tokenizer.ts";
import { calibrationWindows } from "../../../native-models/data/calibration-text.ts";
import { readQuestions } from "../../../native-models/data/questions.ts";
import { UserError } from "../../../native-models/errors.ts";
import { createGramFile } from "../../../native-models/nullspace/gram-file.ts";
import type { Emit } from "../events.ts";
import type { CalibrateJob, CalibrateResult } from "../jobs.ts";
import { pathHash } from "./file-hash.ts";
import { trackProgress } from "./progress.ts";

export async function runCalibrate(spec: CalibrateJob, emit: Emit, signal: AbortSignal): Promise<CalibrateResult> {
  const started = performance.now();
  const checkpoint = openCheckpoint(spec.model);
  const { maxPositions, layers } = checkpoint.config;
  if (spec.length > maxPositions) {
    throw new UserError({ what: `Samples of ${spec.length} tokens are longer than the model's context of ${maxPositions}.`, where: "calibrate: length", fix: `Choose a length up to ${maxPositions}.` });
  }
  const tokenizer = openTokenizer(spec.model);
  const questions = await readQuestions(spec.questions, { answers: "optional" });
  const windows = calibrationWindows(questions, tokenizer, spec);
  for (const warning of windows.warnings) emit({ type: "warning", warning });

  const file = createGramFile(spec.out, checkpoint.config, {
    modelFingerprint: checkpoint.fingerprint,
    questionsFingerprint: await pathHash(spec.questions),
    samples: spec.samples,
    length: spec.length,
    seed: spec.seed,
    scaling: spec.scaling,
    tokens: windows.ids.length,
  });
  try {
    const tokens = windows.ids.length;
    const report = trackProgress({ emit, stage: "Reading calibration text", unit: "tokens", total: tokens });
    await calibrate({
      checkpoint,
      ids: windows.ids,
      samples: spec.samples,
      length: spec.length,
      scaling: spec.scaling,
      sink: (layer, input, gram) => file.write(layer, input, gram),
      onProgress: (done) => report(Math.round(done / layers)),
      signal,
    });
    file.finish();
    return { kind: "calibrate", out: spec.out, tokens, elapsedMs: performance.now() - started };
  } catch (error) {
    file.abandon();
    throw error;
  }
}
