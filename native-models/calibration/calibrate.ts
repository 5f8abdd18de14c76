// The calibration pass: the Gram matrix of every projection input over windows of text.
// In: a checkpoint and token windows. Out: Grams one after the other, layer by layer, for gram-file.ts.
// The model is run range by range of layers, as many at once as the memory allows (layer-ranges.ts); hidden states wait
// between ranges (hidden-states.ts). A released range gives its memory back: its weights are mapped from the files.

import { setImmediate as yieldToMessages } from "node:timers/promises";
import type { Checkpoint } from "../checkpoint/types.ts";
import type { Gram, LayerInput } from "../nullspace/types.ts";
import { buildGramProgram, type GramProgram, type GramScaling, type GramTensor } from "../programs/gram-program.ts";
import { f32, openSession, type Session, type TensorData } from "../runtime/session.ts";
import { heldStates, storedStates } from "./hidden-states.ts";
import { planRanges } from "./layer-ranges.ts";
import { tileFeeds, tilesOf, type Windows } from "./tiles.ts";

export interface CalibrateOptions extends Windows {
  checkpoint: Checkpoint;
  /** Default "raw": sums over all tokens. "official": mean over samples, each divided by its largest input. */
  scaling?: GramScaling;
  /** Takes each Gram when its layers are done, and may take its time. */
  sink: (layer: number, input: LayerInput, gram: Gram) => void | Promise<void>;
  /** Token-layers done, of samples·length·layers. */
  onProgress?: (done: number, total: number) => void | Promise<void>;
  signal?: AbortSignal;
  /** Memory that calibration may take; a UserError where not even one layer fits. Default: no limit. */
  availableBytes?: number;
  /** Hidden states of all windows wait in a file beside this one where they are large; default: always in memory. */
  scratchBeside?: string;
  /** What counts as large; default an eighth of the memory. */
  mostHiddenBytes?: number;
  /** Tokens run at once. */
  tileTokens?: number;
}

const defaultTileTokens = 2048;

export async function calibrate(options: CalibrateOptions): Promise<void> {
  const { checkpoint, samples, length, scaling = "raw", sink, onProgress, signal, availableBytes = Infinity, scratchBeside, tileTokens = defaultTileTokens } = options;
  const { layers, hidden: width } = checkpoint.config;
  const tiles = tilesOf(options, tileTokens);
  const { ranges, spills } = planRanges({ checkpoint, tiles, length, scaling, availableBytes, mostHiddenBytes: scratchBeside === undefined ? Infinity : (options.mostHiddenBytes ?? null) });
  const hidden = spills ? storedStates(scratchBeside!, tiles.map((tile) => tile.flat().length * width)) : heldStates();
  const pool: Float64Array[] = [];
  const total = samples * length * layers;
  let done = 0;

  try {
    for (const { first, end } of ranges) {
      const built = buildGramProgram(checkpoint, { first, end, maxLength: length, scaling });
      const session = await openSession(built.program, { weightsFolder: checkpoint.weights.folder });
      try {
        const sums = new Sums(built, pool);
        for (const [i, tile] of tiles.entries()) {
          signal?.throwIfAborted();
          const after = await runTile(session, built, sums, tile, built.readsIds ? null : hidden.read(i), checkpoint.config);
          if (after) hidden.write(i, after);
          done += tile.flat().length * (end - first);
          await onProgress?.(done, total);
          await yieldToMessages();
        }
        for (const tensor of built.grams) await sink(tensor.layer, tensor.input, sums.take(tensor, samples * length, scaling === "official" ? samples : 1));
      } finally {
        await session.release();
      }
    }
  } finally {
    hidden.release();
  }
}

/** Running sums of a range: two buffers each, so that a run reads one and writes the other. The next range takes over `pool`. */
class Sums {
  #current: Record<string, TensorData> = {};
  #next: Record<string, TensorData> = {};

  constructor({ grams }: GramProgram, pool: Float64Array[]) {
    const spare = pool.splice(0);
    const parts = grams.flatMap(({ bands, sum, size }) => [...bands.map(({ name, start, end }) => ({ name, rows: end - start, columns: end })), { name: sum, rows: 1, columns: size }]);
    for (const { name, rows, columns } of parts) {
      const zeros = (): TensorData => {
        const known = spare.findIndex(({ length }) => length === rows * columns);
        const data = known === -1 ? new Float64Array(rows * columns) : spare.splice(known, 1)[0]!.fill(0);
        pool.push(data);
        return { data, dims: [rows, columns] };
      };
      this.#current[name] = zeros();
      this.#next[`${name}'`] = zeros();
    }
  }

  get feeds(): Record<string, TensorData> { return this.#current; }
  get into(): Record<string, TensorData> { return this.#next; }

  swap(): void {
    for (const name of Object.keys(this.#current)) [this.#current[name], this.#next[`${name}'`]] = [this.#next[`${name}'`], this.#current[name]];
  }

  /** The whole symmetric matrix out of its bands, and Σ x, of so many tokens; all divided by `samples`. */
  take({ size, bands, sum }: GramTensor, tokens: number, samples: number): Gram {
    const values = new Float64Array(size * size);
    for (const { name, start, end } of bands) {
      const band = this.#current[name].data as Float64Array;
      for (let row = start; row < end; row++) {
        for (let column = 0; column <= row; column++) {
          const value = band[(row - start) * end + column] / samples;
          values[row * size + column] = value;
          values[column * size + row] = value;
        }
      }
    }
    const total = this.#current[sum].data as Float64Array;
    return { size, values, centre: { sum: total.map((value) => value / samples), count: tokens / samples } };
  }
}

async function runTile(session: Session, built: GramProgram, sums: Sums, rows: number[][], hidden: Float32Array | null, config: Checkpoint["config"]): Promise<Float32Array | null> {
  const { tokens, feeds } = tileFeeds(rows, config);
  const outputs = await session.run({ ...feeds, ...(hidden ? { hidden: f32(hidden, tokens, config.hidden) } : {}), ...sums.feeds }, { into: sums.into });
  sums.swap();
  return (outputs["hidden'"]?.data as Float32Array | undefined) ?? null;
}
