// A report of a start with two layers, made up: for tests of what is drawn from one.

import type { StartReport } from "../../native-models/starts/report.ts";

export function fakeStartReport(hasKnowledge = true, hasTask = true): StartReport {
  const inputs = (["attention", "attentionOutput", "mlp", "mlpDown"] as const).flatMap((input, k) =>
    [0, 1].map((layer) => ({
      layer, input, size: 64, spectrum: Array.from({ length: 9 }, (_, i) => 10 ** (i - 4 - layer)), effectiveRank: 5 + k,
      ritzValues: [1e-5, 2e-5], nextRitzValue: 4e-5, anglesDegrees: hasKnowledge && hasTask ? [2, 30, 88] : null,
    })));
  const modules = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"].flatMap((projection, k) =>
    [0, 1].map((layer) => ({ layer, projection, knowledgeShare: hasKnowledge ? 10 ** (-6 + k / 2) : null, taskShare: hasTask ? 0.01 * (k + 1) : null })));
  return { method: "lora-null-v2", rank: 2, layers: 2, spectrumOf: hasKnowledge ? "knowledge" : "task", inputs, modules };
}
