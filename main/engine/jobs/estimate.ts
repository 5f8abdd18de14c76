// The memory that a training would take, before anything is started.
// In: the sizes of the rows that would be kept, and the settings. Out: the plan that the training job would come to, and
// how much text each measurement of retention would read.

import { openCheckpoint } from "../../../native-models/checkpoint/checkpoint.ts";
import { methods } from "../../../native-models/starts/methods.ts";
import { planMemory } from "../../../native-models/training/memory-plan.ts";
import type { Emit } from "../events.ts";
import type { EstimateJob } from "../train-jobs.ts";
import type { EstimateResult } from "../job-results.ts";
import { availableBytes, runRowsOf } from "./memory.ts";
import { jobTokenizer } from "./open-tokenizer.ts";
import { retentionRows } from "./retention-rows.ts";

export async function runEstimate(spec: EstimateJob, _emit: Emit, signal: AbortSignal): Promise<EstimateResult> {
  const { rank, method, batch, accumulate, recomputed } = spec;
  const checkpoint = openCheckpoint(spec.model);
  const retention = spec.retention && (await retentionRows(spec.retention, jobTokenizer(spec.model, null), { seed: spec.seed, maxPositions: checkpoint.config.maxPositions }));
  const length = Math.max(retention?.longest ?? 0, Math.min(spec.length, spec.lengths.reduce((most, tokens) => Math.max(most, tokens), 0)));
  signal.throwIfAborted();
  const { plan } = planMemory({
    checkpoint, rank, kind: methods[method].kind, batch, accumulate, length, recomputed, validatesBy: null,
    optimizer: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, clipNorm: 1 },
    rows: runRowsOf(spec, spec, { validation: null, retention }),
    availableBytes: availableBytes(spec.memoryBytes),
  });
  return { kind: "estimate", memory: plan, retentionTokens: retention && retention.tokens[plan.validatesBy ?? "forward"] };
}
