// Rounds matrices by their inputs: a text is read through the model, range by range of layers, and as soon as the Gram of an
// input is there, the matrices that read it are rounded. No Gram outlives its layers.

import { calibrate } from "../calibration/calibrate.ts";
import type { Windows } from "../calibration/tiles.ts";
import type { Checkpoint } from "../checkpoint/types.ts";
import { UserError } from "../errors.ts";
import type { Gram } from "../nullspace/types.ts";
import { openDenseKernels } from "../runtime/dense-kernels.ts";
import type { QuantisedMatrix } from "./blocks.ts";
import { feedbackOf, roundWithFeedback } from "./gptq.ts";
import type { Rounded } from "./quantised-model.ts";

export interface ByInputs {
  checkpoint: Checkpoint;
  matrices: readonly Rounded[];
  windows: Windows;
  /** Gives the rows of a matrix [rows,in] to be rounded, piece by piece. */
  round(matrix: Rounded, round: (weights: Float32Array) => Promise<QuantisedMatrix>): Promise<void>;
  /** A further share of all the reading is done. */
  onRead(share: number): Promise<void>;
  signal?: AbortSignal;
}

export async function roundByInputs({ checkpoint, matrices, windows, round, onRead, signal }: ByInputs): Promise<void> {
  const kernels = await openDenseKernels({ threads: 2 });
  const sink = async (layer: number, input: string, gram: Gram): Promise<void> => {
    const own = matrices.filter(({ place }) => place?.layer === layer && place.input === input);
    if (own.length === 0) return;
    signal?.throwIfAborted();
    const feedback = await feedbackOf(gram, kernels);
    if (feedback === null) {
      throw new UserError({ what: `The inputs of layer ${layer} are no finite numbers.`, where: checkpoint.folder, fix: "Answer with 8 bits or the weights as they are, or take another copy of the model." });
    }
    for (const matrix of own) await round(matrix, (weights) => roundWithFeedback(weights, feedback, kernels));
  };
  try {
    let read = 0;
    await calibrate({
      checkpoint,
      ...windows,
      sink,
      async onProgress(done, total) {
        const share = done / total - read;
        read = done / total;
        await onRead(share);
      },
      ...(signal && { signal }),
    });
  } finally {
    await kernels.release();
  }
}
