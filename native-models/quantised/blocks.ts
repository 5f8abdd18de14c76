// Weights rounded to integers, block by block along each row: what com.microsoft's MatMulNBits multiplies with.
// 8 bits: w ≈ (q − 128)·scale, |w| of the block's largest at 127. 4 bits: w ≈ (q − zero)·scale over the block's own range.
// Source: ONNX Runtime, docs/ContribOperators.md, com.microsoft.MatMulNBits.

export type Bits = 4 | 8;

export const blockSize = 32;

export interface QuantisedMatrix {
  /** [out,blocks,blockSize·bits/8]; 4-bit values lie two a byte, the first in the low half. */
  packed: Uint8Array;
  /** [out,blocks]. */
  scales: Float32Array;
  /** [out,⌈blocks/2⌉], two a byte; null for 8 bits. */
  zeros: Uint8Array | null;
}

/** Bytes and elements of each part of a matrix [out,in]. */
export function quantisedShapes(out: number, size: number, bits: Bits): { packed: [number, number, number]; scales: [number, number]; zeros: [number, number] | null } {
  const blocks = Math.ceil(size / blockSize);
  return { packed: [out, blocks, (blockSize * bits) / 8], scales: [out, blocks], zeros: bits === 4 ? [out, Math.ceil(blocks / 2)] : null };
}

/** Rounds rows of `size` weights each. */
export function quantiseRows(weights: Float32Array, size: number, bits: Bits): QuantisedMatrix {
  const out = weights.length / size;
  const blocks = Math.ceil(size / blockSize);
  const bytes = (blockSize * bits) / 8;
  const packed = new Uint8Array(out * blocks * bytes);
  const scales = new Float32Array(out * blocks);
  const zeros = bits === 4 ? new Uint8Array(out * Math.ceil(blocks / 2)) : null;
  for (let row = 0; row < out; row++) {
    for (let block = 0; block < blocks; block++) {
      const from = row * size + block * blockSize;
      const to = Math.min(from + blockSize, (row + 1) * size);
      const at = row * blocks + block;
      if (zeros === null) scales[at] = roundTo8(weights, from, to, packed, at * bytes);
      else {
        const { scale, zero } = roundTo4(weights, from, to, packed, at * bytes);
        scales[at] = scale;
        zeros[row * Math.ceil(blocks / 2) + (block >> 1)] |= zero << (4 * (block & 1));
      }
    }
  }
  return { packed, scales, zeros };
}

function roundTo8(w: Float32Array, from: number, to: number, packed: Uint8Array, at: number): number {
  let largest = 0;
  for (let i = from; i < to; i++) largest = Math.max(largest, Math.abs(w[i]));
  const scale = Math.fround(largest / 127);
  const inverse = scale === 0 ? 0 : 1 / scale;
  packed.fill(128, at, at + blockSize);
  for (let i = from; i < to; i++) packed[at + i - from] = 128 + Math.round(w[i] * inverse);
  return scale;
}

function roundTo4(w: Float32Array, from: number, to: number, packed: Uint8Array, at: number): { scale: number; zero: number } {
  let [low, high] = [0, 0]; // a block of one sign reaches to 0, so that 0 stays 0
  for (let i = from; i < to; i++) {
    if (w[i] < low) low = w[i];
    if (w[i] > high) high = w[i];
  }
  const scale = Math.fround((high - low) / 15);
  const inverse = scale === 0 ? 0 : 1 / scale;
  const zero = Math.round(-low * inverse);
  for (let i = 0; i < blockSize; i++) {
    const value = from + i < to ? Math.min(15, Math.max(0, Math.round(w[from + i] * inverse) + zero)) : zero;
    packed[at + (i >> 1)] |= value << (4 * (i & 1));
  }
  return { scale, zero };
}

/** The weights [out,in] that a rounded matrix stands for. */
export function dequantiseRows({ packed, scales, zeros }: QuantisedMatrix, size: number): Float32Array {
  const blocks = Math.ceil(size / blockSize);
  const out = scales.length / blocks;
  const weights = new Float32Array(out * size);
  for (let row = 0; row < out; row++) {
    for (let i = 0; i < size; i++) {
      const at = row * blocks + Math.floor(i / blockSize);
      const inBlock = i % blockSize;
      if (zeros === null) weights[row * size + i] = (packed[at * blockSize + inBlock] - 128) * scales[at];
      else {
        const block = at - row * blocks;
        const zero = (zeros[row * Math.ceil(blocks / 2) + (block >> 1)] >> (4 * (block & 1))) & 15;
        const value = (packed[(at * blockSize + inBlock) >> 1] >> (4 * (inBlock & 1))) & 15;
        weights[row * size + i] = (value - zero) * scales[at];
      }
    }
  }
  return weights;
}
