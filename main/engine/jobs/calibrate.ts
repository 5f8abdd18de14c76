// Calibration: text → windows of tokens → the Gram file. The text is questions about the world, or a task's prompts.

import { calibrate } from "../../../native-models/calibration/calibrate.ts";
import { openCheckpoint } from "../../../native-models/checkpoint/checkpoint.ts";
import { openTokenizer } from "../../../native-models/checkpoint/tokenizer.ts";
import type { Checkpoint } from "../../../native-models/checkpoint/types.ts";
import { calibrationWindows, type CalibrationWindows } from "../../../native-models/data/calibration-text.ts";
import { promptWindows } from "../../../native-models/data/prompt-windows.ts";
import { readQuestions } from "../../../native-models/data/questions.ts";
import { openRows } from "../../../native-models/data/rows/open.ts";
import { UserError } from "../../../native-models/errors.ts";
import { createGramFile } from "../../../native-models/nullspace/gram-file.ts";
import type { Emit } from "../events.ts";
import type { CalibrateJob, CalibrateTaskJob } from "../jobs.ts";
import type { CalibrateResult, CalibrateTaskResult } from "../job-results.ts";
import { pathHash } from "../file-hash.ts";
import { availableBytes } from "./memory.ts";
import { jobTokenizer } from "./open-tokenizer.ts";
import { trackProgress } from "./progress.ts";

export async function runCalibrate(spec: CalibrateJob, emit: Emit, signal: AbortSignal): Promise<CalibrateResult> {
  const started = performance.now();
  const checkpoint = openModel(spec);
  const questions = await readQuestions(spec.questions, { answers: "optional" });
  const windows = calibrationWindows(questions, openTokenizer(spec.model), spec);
  const tokens = await writeGrams({ ...spec, checkpoint, windows, text: spec.questions, stage: "Reading calibration text" }, emit, signal);
  return { kind: "calibrate", out: spec.out, tokens, elapsedMs: performance.now() - started };
}

export async function runCalibrateTask(spec: CalibrateTaskJob, emit: Emit, signal: AbortSignal): Promise<CalibrateTaskResult> {
  const started = performance.now();
  const checkpoint = openModel(spec);
  const rows = await openRows(spec.data, { signal, ...(spec.mapping && { mapping: spec.mapping }), ...(spec.split && { split: spec.split }) });
  let windows: CalibrationWindows;
  try {
    windows = await promptWindows(rows, jobTokenizer(spec.model, spec.chatTemplate), spec, signal);
  } finally {
    await rows.close();
  }
  const tokens = await writeGrams({ ...spec, checkpoint, windows, text: spec.data, stage: "Reading training prompts" }, emit, signal);
  return { kind: "calibrate-task", out: spec.out, tokens, elapsedMs: performance.now() - started };
}

function openModel({ model, length }: { model: string; length: number }): Checkpoint {
  const checkpoint = openCheckpoint(model);
  const { maxPositions } = checkpoint.config;
  if (length <= maxPositions) return checkpoint;
  throw new UserError({ what: `Samples of ${length} tokens are longer than the model's context of ${maxPositions}.`, where: "calibrate: length", fix: `Choose a length up to ${maxPositions}.` });
}

interface GramWork extends Pick<CalibrateJob, "samples" | "length" | "seed" | "scaling" | "memoryBytes" | "out"> {
  checkpoint: Checkpoint;
  windows: CalibrationWindows;
  /** File or folder of the text. */
  text: string;
  stage: string;
}

/** Returns the tokens read. */
async function writeGrams({ checkpoint, windows, text, stage, samples, length, seed, scaling, memoryBytes, out }: GramWork, emit: Emit, signal: AbortSignal): Promise<number> {
  for (const warning of windows.warnings) emit({ type: "warning", warning });
  const tokens = windows.ids.length;
  const file = createGramFile(out, checkpoint.config, {
    modelFingerprint: checkpoint.fingerprint, questionsFingerprint: await pathHash(text), samples, length, seed, scaling, tokens,
  });
  try {
    const report = trackProgress({ emit, stage, unit: "tokens", total: tokens });
    await calibrate({
      checkpoint,
      ids: windows.ids,
      samples,
      length,
      scaling,
      availableBytes: availableBytes(memoryBytes),
      scratchBeside: out,
      sink: (layer, input, gram) => file.write(layer, input, gram),
      onProgress: (done) => report(Math.round(done / checkpoint.config.layers)),
      signal,
    });
    file.finish();
    return tokens;
  } catch (error) {
    file.abandon();
    throw error;
  }
}
