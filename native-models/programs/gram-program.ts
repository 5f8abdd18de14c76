// Calibration of a range of layers: hidden states in, hidden states out, and the Gram matrix of each projection input
// added to what came before, in float64 (the spectrum spans ten orders of magnitude); and beside it Σ x.
// A model that does not fit is calibrated range by range; a model that does is one range.

import type { Checkpoint } from "../checkpoint/types.ts";
import { GraphBuilder } from "../graph/builder.ts";
import { times } from "../graph/dims.ts";
import { emitOnnx, type OnnxProgram } from "../graph/emit-onnx.ts";
import { optimize } from "../graph/passes/optimize.ts";
import type { Value } from "../graph/value.ts";
import type { LayerInput } from "../nullspace/types.ts";
import { noAdapters } from "./adapters.ts";
import { decoderLayers, embed } from "./decoder.ts";
import { declareDecoderInputs, paddedAttention } from "./padded-attention.ts";

export interface GramTensor {
  layer: number;
  input: LayerInput;
  /** D: the matrix is [D,D]. */
  size: number;
  /** The lower triangle in bands: rows [start,end) and columns [0,end). */
  bands: readonly GramBand[];
  /** Name of the input that takes Σ x so far, [1,D], and, with a prime, of the output. */
  sum: string;
}

export interface GramBand {
  start: number;
  end: number;
  /** Name of the program's input (sum so far, [end−start,end]) and, with a prime, of its output. */
  name: string;
}

/** Rows of a band. G is symmetric: bands of its lower triangle cost 5/8 of the whole at D = 1536 (measured: 1.6 times as fast). */
const bandRows = 400;

export interface GramProgram {
  program: OnnxProgram;
  grams: readonly GramTensor[];
  /** The range starts at the embedding: it is fed ids, later ranges `hidden` [N,D]. */
  readsIds: boolean;
}

/**
 * How samples are weighed. "raw": Σ x xᵀ over all tokens. "official": each sample's inputs are divided by the largest of
 * them, as the code of CorDA and LoRA-Null does, so that a sample with massive activations does not outweigh the others.
 */
export type GramScaling = "raw" | "official";

export interface GramProgramOptions {
  first: number;
  end: number;
  /** Tokens a row at most. */
  maxLength: number;
  scaling?: GramScaling;
}

/** Layers `first`..`end−1`. The last range gives no hidden states. Every row is a sample; with "official" all are equally long. */
export function buildGramProgram(checkpoint: Checkpoint, { first, end, maxLength, scaling = "raw" }: GramProgramOptions): GramProgram {
  const g = new GraphBuilder();
  const { config } = checkpoint;
  const { ids, map, positions } = declareDecoderInputs(g);
  const rep = config.heads / config.kvHeads;
  const mask = g.input("mask", "float32", [times("T", rep), "T"]);
  const readsIds = first === 0;
  const x = readsIds ? embed(g, checkpoint, ids) : g.input("hidden", "float32", ["N", config.hidden]);
  const grams: GramTensor[] = [];
  const sampleOf = scaling === "official" ? g.input("sampleOf", "int64", ["N"]) : null;
  /** x divided by the largest value of its sample. */
  const scaled = (value: Value): Value => {
    if (!sampleOf) return value;
    const peaks = g.reduceMax(g.spreadRows(value, map), [1, 2]); // [N,D] → [B,T,D] → [B]
    return g.div(value, g.gather(g.reshape(peaks, ["B", 1]), sampleOf));
  };

  const hidden = decoderLayers(
    {
      g,
      checkpoint,
      project: noAdapters(g),
      mix: paddedAttention({ g, checkpoint, inputs: { map, positions }, maxLength, mask }),
      tap(layer, input, value) {
        const size = value.shape[1] as number;
        const wide = g.cast(scaled(value), "float64");
        const bands = bandsOf(size, `gram.${layer}.${input}`);
        for (const { start, end, name } of bands) {
          const upTo = (first: number): Value => (end - first === size ? wide : g.slice(wide, 1, first, end));
          g.output(`${name}'`, g.gemm(upTo(start), upTo(0), { transposeA: true, plus: g.input(name, "float64", [end - start, end]) }));
        }
        const sum = `gram.${layer}.${input}.sum`;
        g.output(`${sum}'`, g.add(g.input(sum, "float64", [1, size]), g.reduceSum(wide, [0], true)));
        grams.push({ layer, input, size, bands, sum });
      },
    },
    x,
    first,
    end,
  );
  if (end < config.layers) g.output("hidden'", hidden);
  return { program: emitOnnx(optimize(g.graph())), grams, readsIds };
}

function bandsOf(size: number, name: string): GramBand[] {
  const count = Math.ceil(size / bandRows);
  const edge = (i: number): number => Math.round((i * size) / count);
  return Array.from({ length: count }, (_, i) => ({ start: edge(i), end: edge(i + 1), name: `${name}.${i}` }));
}
