// The calibration pass against float64 Grams of the same activations from PyTorch.

import { describe, expect } from "vitest";
import { calibrate } from "../../native-models/calibration/calibrate.ts";
import { openCheckpoint } from "../../native-models/checkpoint/checkpoint.ts";
import { openSafetensors } from "../../native-models/checkpoint/safetensors.ts";
import type { Gram, LayerInput } from "../../native-models/nullspace/types.ts";
import { moduleName, projections } from "../../native-models/programs/names.ts";
import { goldenFile, goldenTest, realModel } from "../support/shared-paths.ts";

const layers = [0, 1, 14, 29];

/** The projection whose name the golden file uses for an input. */
function goldenName(layer: number, input: LayerInput): string {
  const names: Record<LayerInput, string> = { attention: "q", attentionOutput: "o", mlp: "gate", mlpDown: "down" };
  const { path } = projections.find(({ projection }) => projection === names[input])!;
  return moduleName(layer, path);
}

function timesVectors({ size, values }: Gram, z: Float32Array): Float64Array {
  const out = new Float64Array(size * 4);
  for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) for (let k = 0; k < 4; k++) out[i * 4 + k] += values[i * size + j] * z[j * 4 + k];
  return out;
}

function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [difference, scale] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    difference += (actual[i] - expected[i]) ** 2;
    scale += expected[i] ** 2;
  }
  return Math.sqrt(difference / scale);
}

describe("calibrating SmolLM2 on 16 windows of 256 tokens", () => {
  goldenTest.each(["raw", "official"] as const)(
    "Gram diagonals and products are within 1e-4 of PyTorch's, scaling %s",
    async (scaling) => {
      const golden = openSafetensors(goldenFile("gram.safetensors"));
      const probes = openSafetensors(goldenFile("init.safetensors"));
      const checkpoint = openCheckpoint(realModel());
      const worst = { diagonal: 0, product: 0 };
      const started = performance.now();
      let seen = 0;
      await calibrate({
        checkpoint,
        ids: golden.i32("input_ids"),
        samples: 16,
        length: 256,
        scaling,
        sink(layer, input, gram) {
          if (!layers.includes(layer)) return;
          seen += 1;
          const name = goldenName(layer, input);
          const isRaw = scaling === "raw"; // of the official scaling only products are stored
          const diagonal = Float64Array.from({ length: gram.size }, (_, i) => gram.values[i * gram.size + i]);
          if (isRaw) worst.diagonal = Math.max(worst.diagonal, relativeError(diagonal, golden.f32(`${name}.gram_diag`)));
          const z = (golden.entries.has(`probe_vectors.${gram.size}`) ? golden : probes).f32(`probe_vectors.${gram.size}`);
          worst.product = Math.max(worst.product, relativeError(timesVectors(gram, z), golden.f32(`${name}.${isRaw ? "gram_z" : "gram_official_z"}`)));
        },
      });
      console.log(`${scaling} Grams: worst diagonal ${worst.diagonal.toExponential(1)}, product ${worst.product.toExponential(1)}, ${((performance.now() - started) / 1000).toFixed(1)} s`);
      expect(seen).toBe(16);
      expect(worst.diagonal).toBeLessThan(1e-4);
      expect(worst.product).toBeLessThan(1e-4);
    },
    900_000, // 2 to 5 minutes were measured at a load of 10 on two cores
  );
});
