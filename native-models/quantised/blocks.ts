// Weights rounded to integers, block by block along each row: what com.microsoft's MatMulNBits multiplies with.
// 8 bits: w ≈ (q − 128)·scale, |w| of the block's largest at 127. 4 bits: w ≈ (q − zero)·scale.
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

/** Rounds rows of `size` weights each to 8 bits, each weight to the nearest. */
export function roundTo8(weights: Float32Array, size: number): QuantisedMatrix {
  const out = weights.length / size;
  const blocks = Math.ceil(size / blockSize);
  const packed = new Uint8Array(out * blocks * blockSize).fill(128);
  const scales = new Float32Array(out * blocks);
  for (let row = 0; row < out; row++) {
    for (let block = 0; block < blocks; block++) {
      const from = row * size + block * blockSize;
      const to = Math.min(from + blockSize, (row + 1) * size);
      const at = row * blocks + block;
      let largest = 0;
      for (let i = from; i < to; i++) largest = Math.max(largest, Math.abs(weights[i]));
      scales[at] = largest / 127;
      const inverse = scales[at] === 0 ? 0 : 1 / scales[at];
      for (let i = from; i < to; i++) packed[at * blockSize + i - from] = 128 + Math.round(weights[i] * inverse);
    }
  }
  return { packed, scales, zeros: null };
}

/** 4-bit integers [in,out] with scales and zeros [blocks,out]: a column's lie together. */
export interface RoundedColumns {
  levels: Uint8Array;
  scales: Float32Array;
  zeros: Uint8Array;
}

/** The same, row by row. */
export function packColumns({ levels, scales: byBlock, zeros: zerosByBlock }: RoundedColumns, size: number): QuantisedMatrix {
  const blocks = Math.ceil(size / blockSize);
  const out = byBlock.length / blocks;
  const pairs = Math.ceil(blocks / 2);
  const packed = new Uint8Array((out * blocks * blockSize) / 2);
  const scales = new Float32Array(out * blocks);
  const zeros = new Uint8Array(out * pairs);
  for (let block = 0; block < blocks; block++) {
    for (let row = 0; row < out; row++) {
      const at = row * blocks + block;
      const zero = zerosByBlock[block * out + row];
      scales[at] = byBlock[block * out + row];
      zeros[row * pairs + (block >> 1)] |= zero << (4 * (block & 1));
      for (let i = 0; i < blockSize; i++) {
        const column = block * blockSize + i;
        packed[(at * blockSize + i) >> 1] |= (column < size ? levels[column * out + row] : zero) << (4 * (i & 1));
      }
    }
  }
  return { packed, scales, zeros };
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
