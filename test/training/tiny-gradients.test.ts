// The whole training program against a float64 model in plain loops: its loss, and its gradients against central
// differences of that model's loss, for every kind of adapter and every kind of checkpoint.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Checkpoint } from "../../native-models/checkpoint/types.ts";
import type { AdapterKind } from "../../native-models/programs/adapters.ts";
import { countTargets, type Recomputed } from "../../native-models/programs/train-program.ts";
import { viewOf, type ParameterView } from "../../native-models/training/state.ts";
import { naiveLlama } from "../support/naive-llama.ts";
import { seededRandom } from "../support/seeded-random.ts";
import type { TinyModelOptions } from "../support/tiny-model.ts";
import { adapterKinds, relativeDistance, tinyAdapters, tinyCheckpoint, tinyRow, tinyTrainer, updatesOf } from "../support/tiny-training.ts";

const rank = 3;
const rows = [tinyRow(9, 4, 1), tinyRow(5, 2, 2), tinyRow(12, 7, 3)];

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "nullspace-gradients-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Loss and gradients of the rows by the training program. Gradients stay in the trainer; the state is updated after. */
async function programGradients(checkpoint: Checkpoint, kind: AdapterKind, recomputed?: Recomputed) {
  const { trainer, state } = await tinyTrainer({ checkpoint, kind, rank, tensors: tinyAdapters(checkpoint, rank, 5), ...(recomputed && { recomputed }) });
  const { lossNats } = await trainer.step([rows], 0);
  await trainer.release();
  return { lossNats, gradients: trainer.gradients, views: state.views };
}

/** Worst difference from the reference: of the loss, and of `count` gradient entries as shares of their tensor's largest. */
async function worstDifferences(checkpoint: Checkpoint, kind: AdapterKind, count: number): Promise<{ loss: number; gradient: number }> {
  const step = 1e-4; // in float64: truncation about step² = 1e-8, rounding about 1e-16/step = 1e-12
  const { lossNats, gradients, views } = await programGradients(checkpoint, kind);
  const model = naiveLlama(checkpoint);
  const tensors = new Map([...tinyAdapters(checkpoint, rank, 5)].map(([name, values]) => [name, Float64Array.from(values)]));
  const updates = updatesOf(tensors, rank, kind);
  const trained = rows.reduce((sum, row) => sum + countTargets(row), 0);
  const loss = (): number => rows.reduce((sum, row) => sum + model.lossSum(row, updates), 0) / trained;

  let gradient = 0;
  for (const { view, at } of drawEntries(views, count)) {
    const values = tensors.get(view.name)!;
    const kept = values[at]!;
    const along = [kept + step, kept - step].map((moved) => {
      values[at] = moved;
      return loss();
    });
    values[at] = kept;
    const own = viewOf(gradients, view).data as Float32Array;
    const largest = own.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    gradient = Math.max(gradient, Math.abs((along[0]! - along[1]!) / (2 * step) - own[at]!) / largest);
  }
  return { loss: Math.abs(lossNats - loss()) / loss(), gradient };
}

/** Entries of A and B in turn, over all layers and projections. */
function drawEntries(views: readonly ParameterView[], count: number): { view: ParameterView; at: number }[] {
  const random = seededRandom(11);
  return Array.from({ length: count }, (_, i) => {
    const view = views[Math.floor(((i + 0.5) * views.length) / count)]!;
    return { view, at: Math.floor(random() * view.size) };
  });
}

const lossTolerance = 1e-5; // float32 against float64: a few 1e-7 at each of two layers
const gradientTolerance = 1e-4; // float32 sums over 23 tokens and back through two layers: about 1e-6 of the largest entry

function check(name: string, worst: { loss: number; gradient: number }): void {
  console.log(`${name}: loss ${worst.loss.toExponential(1)}, gradients ${worst.gradient.toExponential(1)} from the float64 reference`);
  expect(worst.loss).toBeLessThan(lossTolerance);
  expect(worst.gradient).toBeLessThan(gradientTolerance);
}

describe("the training program", () => {
  test.each(adapterKinds)('adapters of kind "%s": loss and gradients of A and B in every layer agree with the reference', async (kind) => {
    const checkpoint = tinyCheckpoint(join(folder, `kind-${kind}`));
    check(kind, await worstDifferences(checkpoint, kind, kind === "b" ? 14 : 28));
  });

  const checkpoints: { name: string; options: TinyModelOptions }[] = [
    { name: "no grouping, untied head, float32", options: { kvHeads: 4, tiedEmbeddings: false, dtype: "F32" } },
    { name: "one key head, float16, heads wider than the hidden size", options: { kvHeads: 1, headSize: 12, dtype: "F16" } },
    { name: "Llama 3 frequencies, three layers, bfloat16, untied head", options: { layers: 3, tiedEmbeddings: false, rope: { theta: 10_000, llama3: { factor: 8, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositions: 64 } } } },
  ];
  test.each(checkpoints)("a checkpoint with $name trains by the same gradients as the reference", async ({ name, options }) => {
    const checkpoint = tinyCheckpoint(join(folder, name.replaceAll(/\W/g, "-")), options);
    check(name, await worstDifferences(checkpoint, "both", 14));
  });

  test.each(adapterKinds)('what is computed again instead of held changes nothing (kind "%s")', async (kind) => {
    const checkpoint = tinyCheckpoint(join(folder, `again-${kind}`));
    const held = await programGradients(checkpoint, kind, "none");
    for (const recomputed of ["cheap", "scores", "layer"] as const) {
      const again = await programGradients(checkpoint, kind, recomputed);
      const worst = relativeDistance(again.gradients, held.gradients);
      console.log(`${kind}, recomputed ${recomputed}: gradients ${worst.toExponential(1)}, loss ${Math.abs(again.lossNats - held.lossNats).toExponential(1)} from those with everything held`);
      expect(again.lossNats).toBe(held.lossNats);
      expect(worst).toBeLessThan(1e-6); // the same products in another order of additions
    }
  });
});
