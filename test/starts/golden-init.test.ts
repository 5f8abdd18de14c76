// The LoRA-Null start of the real model, from our own calibration, against PyTorch's float64 eigenvectors and SVD
// (../shared/golden/init.safetensors). Products are compared, as signs and rotations of the factors are free.

import { expect } from "vitest";
import { openCheckpoint } from "../../native-models/checkpoint/checkpoint.ts";
import { openSafetensors, readTensorF32, type SafetensorsFile } from "../../native-models/checkpoint/safetensors.ts";
import { bottomSubspace } from "../../native-models/nullspace/basis.ts";
import { product, type DenseKernels, type Matrix } from "../../native-models/nullspace/kernels.ts";
import { modulesOf, projections } from "../../native-models/programs/names.ts";
import { openDenseKernels } from "../../native-models/runtime/dense-kernels.ts";
import { loraNullV1 } from "../../native-models/starts/lora-null.ts";
import { basisOf, relativeError } from "../nullspace/synthetic.ts";
import { goldenGrams } from "../support/golden-grams.ts";
import { goldenFile, goldenTest, realModel } from "../support/shared-paths.ts";

const f64 = (file: SafetensorsFile, name: string, cols: number): Matrix => {
  const values = file.f64(name);
  return { rows: values.length / cols, cols, values };
};

async function timesFactors(kernels: DenseKernels, { a, b }: { a: Float32Array; b: Float32Array }, rank: number, z: Matrix): Promise<Matrix> {
  const az = await product(kernels, { rows: rank, cols: a.length / rank, values: Float64Array.from(a) }, z);
  return product(kernels, { rows: b.length / rank, cols: rank, values: Float64Array.from(b) }, az);
}

goldenTest(
  "starts of rank 16 and 64 equal PyTorch's: products within 1e-3, energies within 1e-4",
  async () => {
    const golden = openSafetensors(goldenFile("init.safetensors"));
    const checkpoint = openCheckpoint(realModel());
    const grams = await goldenGrams();
    const kernels = await openDenseKernels({ threads: 1 });
    const worst = { product: 0, projector: 0, singularValues: 0, energy: 0, outputChange: 0, gap: 0 };
    let compared = 0;
    for (const rank of [16, 64]) {
      for (const layer of [0, 1, 14, 29]) {
        for (const input of new Set(projections.map((each) => each.input))) {
          const modules = modulesOf(checkpoint.config).filter((module) => module.layer === layer && module.input === input && golden.entries.has(`r${rank}.${module.name}.BAz`));
          if (modules.length === 0) continue; // rank 64 was stored for some layers only
          const gram = grams.read(layer, input);
          const z = f64(golden, `probe_vectors.${gram.size}`, 4);
          const prepared = await loraNullV1.prepare({ knowledge: gram, task: null }, `layer ${layer}, ${input}`, { rank, seed: 0, kernels });
          const basis = prepared.basis!;
          for (const module of modules) {
            const name = `r${rank}.${module.name}`;
            const weight: Matrix = { rows: module.out, cols: module.in, values: new Float64Array(readTensorF32(checkpoint, `${module.name}.weight`)) };
            const start = await prepared.start({ name: module.name, out: module.out, in: module.in, read: () => weight });
            const note = (key: keyof typeof worst, got: ArrayLike<number>, field: string): void => {
              worst[key] = Math.max(worst[key], relativeError(got, golden.f64(`${name}.${field}`)));
            };
            note("product", (await timesFactors(kernels, start, rank, z)).values, "BAz");
            note("projector", (await product(kernels, basisOf(basis), await product(kernels, basisOf(basis), z, { transposeA: true }))).values, "projector_z");
            note("singularValues", start.singularValues!, "singular_values");
            note("energy", [basis.energy], "residual_energy");
            note("outputChange", [start.outputChange!], "output_change");
            note("gap", [basis.ritzValues[rank - 1]!, basis.nextRitzValue!], "eigen_gap");
            compared += 1;
          }
        }
      }
    }
    await kernels.release();
    console.log(`${compared} starts, worst relative differences:`, Object.fromEntries(Object.entries(worst).map(([key, value]) => [key, value.toExponential(1)])));
    expect(compared).toBeGreaterThanOrEqual(28);
    for (const key of ["product", "projector", "singularValues"] as const) expect(worst[key], key).toBeLessThan(1e-3);
    for (const key of ["energy", "outputChange", "gap"] as const) expect(worst[key], key).toBeLessThan(1e-4);
  },
  600_000,
);

goldenTest(
  "on every layer the energy is within 0.1 % of the least possible, by the solver's own bound",
  async () => {
    const grams = await goldenGrams();
    const kernels = await openDenseKernels({ threads: 1 });
    let worst = 0;
    for (let layer = 0; layer < grams.info.layers; layer += 1) {
      for (const input of ["attention", "mlp"] as const) {
        const { energy, energyExcess } = await bottomSubspace(grams.read(layer, input), 16, { kernels, seed: 0 });
        worst = Math.max(worst, energyExcess! / energy);
      }
    }
    await kernels.release();
    console.log(`largest bound on the excess: ${worst.toExponential(1)} of the energy`);
    expect(worst).toBeLessThan(1e-3);
  },
  600_000,
);
