// How much each model would have been surprised by each answer's tokens: −ln p of every token under every column's model,
// at temperature 1, within the conversation that the answer stands in.

import { UserError } from "../../../native-models/errors.ts";
import type { Emit } from "../events.ts";
import type { SurpriseJob } from "../answer-jobs.ts";
import type { SurpriseResult } from "../job-results.ts";
import { columnPrompts } from "./column-prompts.ts";
import { trackProgress } from "./progress.ts";
import { tokenTexts } from "./stream-text.ts";
import { warmAnswerer } from "./warm-answerer.ts";

export async function runSurprise(spec: SurpriseJob, emit: Emit, signal: AbortSignal): Promise<SurpriseResult> {
  const started = performance.now();
  const warm = await warmAnswerer(spec.model, { weights: spec.weights, emit, signal });
  const { rows, adapters, tokenizer } = columnPrompts(warm, spec);
  const report = trackProgress({ emit, stage: "Working out the surprise", unit: "answers", total: spec.columns.length });
  const answers: SurpriseResult["answers"] = [];
  for (const [column, { ids }] of spec.columns.entries()) {
    signal.throwIfAborted();
    requireRoom(rows[column].ids.length + ids.length, warm.answerer.maxLength);
    answers.push({ texts: tokenTexts(tokenizer, ids), nats: ids.length === 0 ? rows.map(() => []) : await nats(column) });
    report(column + 1);
  }
  return { kind: "surprise", answers, elapsedMs: performance.now() - started };

  /** [model][token], of one answer. */
  async function nats(column: number): Promise<number[][]> {
    const models = rows.map(({ adapter }) => ({ adapter, ids: rows[column].ids }));
    const begun = await warm.answerer.begin(models, { adapters, signal });
    const scores = await begun.score(models.map(() => spec.columns[column].ids));
    return scores.map(({ tokenLogLikelihoods }) => tokenLogLikelihoods.map((value) => Math.max(0, -value)));
  }
}

function requireRoom(tokens: number, most: number): void {
  if (tokens <= most) return;
  throw new UserError({ what: `Prompt and answer have ${tokens} tokens; the model takes ${most}.`, where: "surprise: ids", fix: "Look at a shorter answer." });
}
