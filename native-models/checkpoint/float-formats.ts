// The 16-bit float formats of model files, to and from float32. Rounding is to nearest, ties to even, as PyTorch does.
// In and out: raw bits in Uint16Array, values in Float32Array. No allocation besides one 256 KiB table.

/** bfloat16 bits → float32 (exact). Both arrays have the same length. */
export function bf16ToF32(bits: Uint16Array, out: Float32Array): void {
  const words = new Uint32Array(out.buffer, out.byteOffset, out.length);
  for (let i = 0; i < bits.length; i += 1) words[i] = bits[i]! << 16;
}

/** float32 → bfloat16 bits. NaN stays NaN. */
export function f32ToBf16(values: Float32Array, out: Uint16Array): void {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < words.length; i += 1) {
    const word = words[i]!;
    const isNan = (word & 0x7fffffff) > 0x7f800000;
    out[i] = isNan ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
}

/** float16 bits → float32 (exact), by table. */
export function f16ToF32(bits: Uint16Array, out: Float32Array): void {
  const table = f16Table();
  for (let i = 0; i < bits.length; i += 1) out[i] = table[bits[i]!]!;
}

/** float32 → float16 bits; values beyond 65504 become infinite. */
export function f32ToF16(values: Float32Array, out: Uint16Array): void {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < words.length; i += 1) out[i] = halfBits(words[i]!);
}

/** One float16 as a number. */
export function halfToNumber(bits: number): number {
  return f16Table()[bits & 0xffff]!;
}

function halfBits(word: number): number {
  const sign = (word >>> 16) & 0x8000;
  const magnitude = word & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00; // NaN
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // rounds to 65536 or is infinite
  if (magnitude >= 0x38800000) {
    // normal in float16: drop 13 bits of mantissa and re-bias the exponent by 127 − 15 = 112
    const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
    return sign | ((rounded >>> 13) - (112 << 10));
  }
  if (magnitude <= 0x33000000) return sign; // at most half of the least subnormal: ties go to zero
  const shift = 126 - (magnitude >>> 23); // subnormal: 14 to 24 bits are dropped
  const mantissa = (magnitude & 0x7fffff) | 0x800000;
  const half = 1 << (shift - 1);
  const kept = mantissa >>> shift;
  const rest = mantissa & ((1 << shift) - 1);
  return sign | (kept + (rest > half || (rest === half && (kept & 1) === 1) ? 1 : 0));
}

let table: Float32Array | null = null;

function f16Table(): Float32Array {
  if (table !== null) return table;
  table = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits += 1) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >>> 10) & 0x1f;
    const mantissa = bits & 0x3ff;
    table[bits] =
      exponent === 31
        ? mantissa === 0 ? sign * Infinity : NaN
        : exponent === 0
          ? sign * mantissa * 2 ** -24
          : sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
  }
  return table;
}
