// Which layers are calibrated at once, by all that a range holds while it runs.
// In: the model, the windows and the memory there is. Out: ranges of layers with what the fullest of them takes.
//
// process      Node with the runtime and the tokenizer.
// hidden       4·D bytes a token of all windows, or of one tile where they wait in a file.
// weights      float32, whatever the file holds; the first range has the embedding too.
// grams        float64, old and new sums: 2 · 8 · Σ D² a layer.
// uncollected  what is dropped but not yet given back, however many layers: a Gram whole and packed for the file, 12 · D²,
//              and a fixed part.
// activations  what the program of one layer holds at its fullest and the runtime's arena beyond (graph/arena.ts): layers
//              run one after the other in the same memory.

import type { Checkpoint } from "../checkpoint/types.ts";
import { UserError } from "../errors.ts";
import { createArena } from "../graph/arena.ts";
import { memoryEvents } from "../graph/liveness.ts";
import { buildGramProgram, type GramScaling } from "../programs/gram-program.ts";
import { inputSize, projections } from "../programs/names.ts";
import { aside, processBytes, sizesOf, weightBytes } from "../training/memory-estimate.ts";
import { gigabytes } from "../training/memory-plan.ts";
import { tileFeeds } from "./tiles.ts";

export interface LayerRange {
  first: number;
  end: number;
}

export interface RangePlan {
  ranges: LayerRange[];
  /** Hidden states wait in a file. */
  spills: boolean;
  /** What the fullest range takes. */
  peakBytes: number;
}

export interface RangeQuestion {
  checkpoint: Checkpoint;
  tiles: readonly number[][][];
  length: number;
  scaling: GramScaling;
  availableBytes: number;
  /** Hidden states of all windows beyond these wait in a file; null: an eighth of the memory. */
  mostHiddenBytes: number | null;
}

/** More Grams at once gain nothing: SmolLM2 takes 8.6 s in ranges of 5 layers and 9.4 s in one of 30 (2 GB of Grams). */
const mostGramBytes = 600 * 2 ** 20;

/**
 * Arrays that wait for a collection (V8 lets 64 MB outside its heap pile up) and what the runtime keeps of the session
 * before. Measured on SmolLM2 in ranges of 3, 5 and 11 layers: 0.13 to 0.17 GB past the other terms.
 */
const uncollectedBytes = 170e6;

export function planRanges({ checkpoint, tiles, length, scaling, availableBytes, mostHiddenBytes }: RangeQuestion): RangePlan {
  const { config } = checkpoint;
  const tokensOf = (tile: readonly number[][]): number => tile.reduce((sum, row) => sum + row.length, 0);
  const largest = tiles.reduce((most, tile) => (tokensOf(tile) > tokensOf(most) ? tile : most));
  const { feeds } = tileFeeds(largest, config);
  const layer = (first: number) => {
    const { program } = buildGramProgram(checkpoint, { first, end: first + 1, maxLength: length, scaling });
    const arena = createArena();
    const events = memoryEvents(program.graph, sizesOf(program, feeds), (output) => output.startsWith("gram."));
    arena.play(events);
    return { weights: weightBytes(program.graph), touched: arena.touchedBytes(), nodes: program.nodeCount };
  };
  const starting = layer(0);
  const later = config.layers > 1 ? layer(1) : starting;

  const widths = [...new Set(projections.map(({ input }) => input))].map((input) => inputSize(config, input));
  const gramBytes = widths.reduce((sum, width) => sum + 16 * width ** 2, 0);
  const isWhole = (layers: number): boolean => layers === config.layers;
  const allHidden = 4 * config.hidden * tiles.reduce((sum, tile) => sum + tokensOf(tile), 0);
  const tileHidden = 2 * 4 * config.hidden * tokensOf(largest);
  const spills = allHidden > (mostHiddenBytes ?? availableBytes / 8);
  const fed = Object.values(feeds).reduce((sum, { data }) => sum + data.byteLength, 0);
  const touched = Math.max(starting.touched, later.touched);
  const terms = (layers: number, isFirst: boolean) => ({
    process: processBytes.fixed + processBytes.tokenizerEntry * config.vocabulary + processBytes.node * later.nodes * layers,
    hidden: isWhole(layers) ? 0 : tileHidden + (spills ? 0 : allHidden),
    weights: later.weights * layers + (isFirst ? starting.weights - later.weights : 0),
    grams: gramBytes * layers,
    uncollected: 12 * Math.max(...widths) ** 2 + uncollectedBytes,
    activations: touched * (1 + aside.share) + fed + aside.fixedBytes,
  });
  const bytes = (layers: number, isFirst: boolean): number => Object.values(terms(layers, isFirst)).reduce((sum, each) => sum + each, 0);

  const ranges: LayerRange[] = [];
  let peakBytes = 0;
  for (let first = 0; first < config.layers; first = ranges.at(-1)!.end) {
    let layers = Math.min(config.layers - first, Math.max(1, Math.floor(mostGramBytes / gramBytes)));
    while (layers > 1 && bytes(layers, first === 0) > availableBytes) layers -= 1;
    const taken = bytes(layers, first === 0);
    if (taken > availableBytes) throw tooLarge(terms(layers, first === 0), taken, availableBytes);
    peakBytes = Math.max(peakBytes, taken);
    ranges.push({ first, end: first + layers });
  }
  return { ranges, spills: spills && ranges.length > 1, peakBytes };
}

function tooLarge(terms: Record<string, number>, totalBytes: number, availableBytes: number): UserError {
  const parts = Object.entries(terms).filter(([, bytes]) => bytes > 0).map(([term, bytes]) => `${term} ${gigabytes(bytes)}`);
  return new UserError({
    what: `Calibrating a single layer would take ${gigabytes(totalBytes)} GB of memory, but ${gigabytes(availableBytes)} GB may be taken. In GB: ${parts.join(", ")}.`,
    where: "calibrate: memory",
    fix: "Close other programs, allow more memory where a limit was given, take shorter samples, or a smaller model.",
  });
}
