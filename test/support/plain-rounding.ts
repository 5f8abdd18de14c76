// 4-bit rounding of every weight to the nearest on its block's own range: what better rounding is measured against.

import { blockSize, packColumns, type QuantisedMatrix } from "../../native-models/quantised/blocks.ts";

export function roundTo4Plainly(weights: Float32Array, size: number): QuantisedMatrix {
  const out = weights.length / size;
  const blocks = Math.ceil(size / blockSize);
  const rounded = { levels: new Uint8Array(size * out), scales: new Float32Array(blocks * out), zeros: new Uint8Array(blocks * out) };
  for (let row = 0; row < out; row++) {
    for (let block = 0; block < blocks; block++) {
      const own = weights.subarray(row * size + block * blockSize, row * size + Math.min(size, (block + 1) * blockSize));
      const [low, high] = [Math.min(0, ...own), Math.max(0, ...own)];
      const scale = Math.fround((high - low) / 15);
      const zero = scale === 0 ? 0 : Math.round(-low / scale);
      rounded.scales[block * out + row] = scale;
      rounded.zeros[block * out + row] = zero;
      own.forEach((value, i) => (rounded.levels[(block * blockSize + i) * out + row] = scale === 0 ? zero : Math.min(15, Math.max(0, Math.round(value / scale) + zero))));
    }
  }
  return packColumns(rounded, size);
}
