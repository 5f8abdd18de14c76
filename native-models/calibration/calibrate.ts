// The calibration pass: the Gram matrix of every projection input over windows of text.
// In: a checkpoint and token windows. Out: Grams one after the other, layer by layer, for gram-file.ts.
// The model is run range by range of layers; hidden states of all windows wait between ranges (4·D bytes a token).

import { setImmediate as yieldToMessages } from "node:timers/promises";
import type { Checkpoint } from "../checkpoint/types.ts";
import type { Gram, LayerInput } from "../nullspace/types.ts";
import { buildGramProgram, type GramProgram, type GramScaling, type GramTensor } from "../programs/gram-program.ts";
import { inputSize, projections } from "../programs/names.ts";
import { causalMask, packRows } from "../programs/packed-rows.ts";
import { f32, i64, openSession, type Session, type TensorData } from "../runtime/session.ts";

export interface CalibrateOptions {
  checkpoint: Checkpoint;
  /** [samples, length] token ids. */
  ids: Int32Array;
  samples: number;
  length: number;
  /** Default "raw": sums over all tokens. "official": mean over samples, each divided by its largest input. */
  scaling?: GramScaling;
  /** Takes each Gram when its layers are done. */
  sink: (layer: number, input: LayerInput, gram: Gram) => void;
  /** Token-layers done, of samples·length·layers. */
  onProgress?: (done: number, total: number) => void;
  signal?: AbortSignal;
  /** Bytes that the Grams of one range may take, old and new sums together. */
  gramBudgetBytes?: number;
  /** Tokens run at once. */
  tileTokens?: number;
}

const defaultGramBudgetBytes = 600 * 2 ** 20;
const defaultTileTokens = 2048;

export async function calibrate(options: CalibrateOptions): Promise<void> {
  const { checkpoint, samples, length, scaling = "raw", sink, onProgress, signal } = options;
  const { config } = checkpoint;
  const tiles = tilesOf(options);
  const total = samples * length * config.layers;
  let done = 0;
  let hidden: Float32Array[] | null = null; // of each tile, once the embedding's range is through

  for (const { first, end } of layerRanges(checkpoint, options.gramBudgetBytes ?? defaultGramBudgetBytes)) {
    const built = buildGramProgram(checkpoint, { first, end, maxLength: length, scaling });
    const session = await openSession(built.program, { weightsFolder: checkpoint.weights.folder });
    const sums = new Sums(built);
    const next: Float32Array[] = [];
    for (const [i, tile] of tiles.entries()) {
      signal?.throwIfAborted();
      const outputs = await runTile(session, built, sums, tile, hidden?.[i] ?? null, config);
      if (outputs) next.push(outputs);
      done += tile.flat().length * (end - first);
      onProgress?.(done, total);
      await yieldToMessages();
    }
    hidden = next;
    for (const tensor of built.grams) sink(tensor.layer, tensor.input, meanOf(sums.take(tensor), scaling === "official" ? samples : 1));
    await session.release();
  }
}

/** Running sums of a range: two buffers each, so that a run reads one and writes the other. */
class Sums {
  #current: Record<string, TensorData> = {};
  #next: Record<string, TensorData> = {};

  constructor({ grams }: GramProgram) {
    for (const { name, start, end } of grams.flatMap(({ bands }) => bands)) {
      const zeros = (): TensorData => ({ data: new Float64Array((end - start) * end), dims: [end - start, end] });
      this.#current[name] = zeros();
      this.#next[`${name}'`] = zeros();
    }
  }

  get feeds(): Record<string, TensorData> { return this.#current; }
  get into(): Record<string, TensorData> { return this.#next; }

  swap(): void {
    for (const name of Object.keys(this.#current)) [this.#current[name], this.#next[`${name}'`]] = [this.#next[`${name}'`], this.#current[name]];
  }

  /** The whole symmetric matrix out of its bands. */
  take({ size, bands }: GramTensor): Gram {
    const values = new Float64Array(size * size);
    for (const { name, start, end } of bands) {
      const band = this.#current[name].data as Float64Array;
      for (let row = start; row < end; row++) {
        for (let column = 0; column <= row; column++) {
          const value = band[(row - start) * end + column];
          values[row * size + column] = value;
          values[column * size + row] = value;
        }
      }
    }
    return { size, values };
  }
}

async function runTile(session: Session, built: GramProgram, sums: Sums, rows: number[][], hidden: Float32Array | null, config: Checkpoint["config"]): Promise<Float32Array | null> {
  const packed = packRows(rows);
  const outputs = await session.run(
    {
      ...packed.feeds,
      ...(hidden ? { hidden: f32(hidden, packed.tokens, config.hidden) } : {}),
      sampleOf: i64(rows.flatMap((row, i) => row.map(() => i)), packed.tokens),
      mask: causalMask(packed.longest, config.heads / config.kvHeads),
      ...sums.feeds,
    },
    { into: sums.into },
  );
  sums.swap();
  return (outputs["hidden'"]?.data as Float32Array | undefined) ?? null;
}

function meanOf(gram: Gram, samples: number): Gram {
  if (samples !== 1) for (let i = 0; i < gram.values.length; i++) gram.values[i] /= samples;
  return gram;
}

function tilesOf({ ids, samples, length, tileTokens = defaultTileTokens }: CalibrateOptions): number[][][] {
  const windows = Array.from({ length: samples }, (_, i) => Array.from(ids.subarray(i * length, (i + 1) * length)));
  const perTile = Math.max(1, Math.floor(tileTokens / length));
  return Array.from({ length: Math.ceil(samples / perTile) }, (_, i) => windows.slice(i * perTile, (i + 1) * perTile));
}

/** As many layers in a range as the budget allows, and at least one. */
function layerRanges({ config }: Checkpoint, budgetBytes: number): { first: number; end: number }[] {
  const inputs = [...new Set(projections.map(({ input }) => input))];
  const layerBytes = inputs.reduce((sum, input) => sum + 2 * 8 * inputSize(config, input) ** 2, 0);
  const layers = Math.max(1, Math.floor(budgetBytes / layerBytes));
  return Array.from({ length: Math.ceil(config.layers / layers) }, (_, i) => ({ first: i * layers, end: Math.min(config.layers, (i + 1) * layers) }));
}
