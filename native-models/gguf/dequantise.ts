// Weights of a GGUF tensor as float32, block by block, exactly as llama.cpp's own dequantisation gives them.
// In: the raw bytes of whole blocks. Out: values in the file's order. Every product below is exact in double and is
// rounded once, into the Float32Array.

import { UserError } from "../errors.ts";
import { bf16ToF32, f16ToF32, halfToNumber } from "../checkpoint/float-formats.ts";
import type { GgufTensor } from "./types.ts";

type Dequantise = (bytes: Uint8Array, out: Float32Array) => void;

/** Whether dequantise knows the tensor's kind; if not, a UserError naming it. */
export function requireReadable(file: string, tensor: GgufTensor): void {
  if (Object.hasOwn(kinds, tensor.kind.name)) return;
  throw new UserError({
    what: `Tensor ${tensor.name} is quantised as ${tensor.kind.name}; ${Object.keys(kinds).join(", ")} are read.`,
    where: file,
    fix: "Get the model in one of these kinds, for example Q8_0 or Q4_K_M made of Q4_K and Q6_K.",
  });
}

/** Fills `out` from the blocks in `bytes`; both cover the same elements. */
export function dequantise(kindName: string, bytes: Uint8Array, out: Float32Array): void {
  const rule = Object.hasOwn(kinds, kindName) ? kinds[kindName] : undefined;
  if (rule === undefined) throw new Error(`no dequantisation for ${kindName}`);
  rule(bytes, out);
}

const kinds: Readonly<Record<string, Dequantise>> = {
  F32: (bytes, out) => new Uint8Array(out.buffer, out.byteOffset, out.byteLength).set(bytes),
  F16: (bytes, out) => f16ToF32(halves(bytes), out),
  BF16: (bytes, out) => bf16ToF32(halves(bytes), out),
  // d·q, q a signed byte
  Q8_0: blocks(32, 34, (b, at, out, to) => {
    const d = half(b, at);
    for (let j = 0; j < 32; j += 1) out[to + j] = d * ((b[at + 2 + j]! << 24) >> 24);
  }),
  // d·(q − 8); the low nibbles are the first 16 elements, the high ones the last
  Q4_0: blocks(32, 18, (b, at, out, to) => {
    const d = half(b, at);
    for (let j = 0; j < 16; j += 1) {
      const q = b[at + 2 + j]!;
      out[to + j] = d * ((q & 15) - 8);
      out[to + j + 16] = d * ((q >> 4) - 8);
    }
  }),
  // d·q + m
  Q4_1: blocks(32, 20, (b, at, out, to) => {
    const d = half(b, at);
    const m = half(b, at + 2);
    for (let j = 0; j < 16; j += 1) {
      const q = b[at + 4 + j]!;
      out[to + j] = d * (q & 15) + m;
      out[to + j + 16] = d * (q >> 4) + m;
    }
  }),
  // d·(q − 16), the fifth bits in one 32-bit word
  Q5_0: blocks(32, 22, (b, at, out, to) => {
    const d = half(b, at);
    const high = word(b, at + 2);
    for (let j = 0; j < 16; j += 1) {
      const q = b[at + 6 + j]!;
      out[to + j] = d * (((q & 15) | (((high >>> j) & 1) << 4)) - 16);
      out[to + j + 16] = d * (((q >> 4) | (((high >>> (j + 16)) & 1) << 4)) - 16);
    }
  }),
  // d·q + m, the fifth bits in one 32-bit word
  Q5_1: blocks(32, 24, (b, at, out, to) => {
    const d = half(b, at);
    const m = half(b, at + 2);
    const high = word(b, at + 4);
    for (let j = 0; j < 16; j += 1) {
      const q = b[at + 8 + j]!;
      out[to + j] = d * ((q & 15) | (((high >>> j) & 1) << 4)) + m;
      out[to + j + 16] = d * ((q >> 4) | (((high >>> (j + 16)) & 1) << 4)) + m;
    }
  }),
  // (d·scale)·q − (dmin·min), 8 groups of 32 with 6-bit scales and mins packed in 12 bytes
  Q4_K: blocks(256, 144, (b, at, out, to) => {
    const d = half(b, at);
    const dmin = half(b, at + 2);
    for (let group = 0; group < 8; group += 1) {
      const [scale, min] = scaleAndMin(b, at + 4, group);
      const quants = at + 16 + 32 * (group >> 1);
      const shift = 4 * (group & 1);
      for (let j = 0; j < 32; j += 1) out[to + 32 * group + j] = d * scale * ((b[quants + j]! >> shift) & 15) - dmin * min;
    }
  }),
  // (d·scale)·(q − 32), 16 groups of 16 with signed byte scales; 4 low bits and 2 high bits lie apart
  Q6_K: blocks(256, 210, (b, at, out, to) => {
    const d = half(b, at + 208);
    for (let part = 0; part < 2; part += 1) {
      for (let quarter = 0; quarter < 4; quarter += 1) {
        const low = at + 64 * part + 32 * (quarter & 1);
        const high = at + 128 + 32 * part;
        for (let j = 0; j < 32; j += 1) {
          const nibble = (b[low + j]! >> (4 * (quarter >> 1))) & 15;
          const q = (nibble | (((b[high + j]! >> (2 * quarter)) & 3) << 4)) - 32;
          const scale = (b[at + 192 + 8 * part + 2 * quarter + (j >> 4)]! << 24) >> 24;
          out[to + 128 * part + 32 * quarter + j] = d * scale * q;
        }
      }
    }
  }),
};

function blocks(elements: number, bytes: number, rule: (b: Uint8Array, at: number, out: Float32Array, to: number) => void): Dequantise {
  return (from, out) => {
    for (let block = 0; block * elements < out.length; block += 1) rule(from, block * bytes, out, block * elements);
  };
}

function scaleAndMin(b: Uint8Array, at: number, group: number): [number, number] {
  if (group < 4) return [b[at + group]! & 63, b[at + group + 4]! & 63];
  const packed = b[at + group + 4]!;
  return [(packed & 15) | ((b[at + group - 4]! >> 6) << 4), (packed >> 4) | ((b[at + group]! >> 6) << 4)];
}

function half(b: Uint8Array, at: number): number {
  return halfToNumber(b[at]! | (b[at + 1]! << 8));
}

function word(b: Uint8Array, at: number): number {
  return b[at]! | (b[at + 1]! << 8) | (b[at + 2]! << 16) | (b[at + 3]! << 24);
}

function halves(bytes: Uint8Array): Uint16Array {
  return bytes.byteOffset % 2 === 0 ? new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2) : new Uint16Array(bytes.slice().buffer);
}
