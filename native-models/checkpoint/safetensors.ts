// Tensors out of .safetensors files, one at a time: each read opens the file, takes just that range and closes it.
// In: entries from safetensors-header.ts. Out: typed arrays. Cost: the tensor asked for, and 512 KiB while converting.

import { join } from "node:path";
import { UserError } from "../errors.ts";
import { readFully, withFile } from "./file-bytes.ts";
import { bf16ToF32, f16ToF32 } from "./float-formats.ts";
import { readSafetensorsHeader, shown } from "./safetensors-header.ts";
import type { SafetensorsEntry } from "./safetensors-header.ts";
import type { Checkpoint } from "./types.ts";

/** An opened .safetensors file: the header is in memory, the tensors are read when asked for. */
export interface SafetensorsFile {
  file: string;
  metadata: ReadonlyMap<string, string>;
  entries: ReadonlyMap<string, SafetensorsEntry>;
  /** F32, F16 and BF16 exactly; F64 rounded. */
  f32(name: string): Float32Array;
  /** F64, F32, F16 and BF16, exactly. An F64 tensor is read into `into` where that is given. */
  f64(name: string, into?: Float64Array<ArrayBuffer>): Float64Array;
  /** I32, U8 and I64 whose values fit 32 bits. */
  i32(name: string): Int32Array;
  i64(name: string): BigInt64Array;
  /** The bytes as they stand in the file, of any dtype. */
  bytes(name: string): Uint8Array;
  /** The shape of a tensor that must be there. */
  shape(name: string): readonly number[];
}

export function openSafetensors(file: string): SafetensorsFile {
  const { metadata, entries } = readSafetensorsHeader(file);
  const entry = (name: string): SafetensorsEntry => {
    const found = entries.get(name);
    if (found === undefined) {
      throw new UserError({ what: `It holds no tensor ${shown(name)}.`, where: file, fix: "Check that this is the file you mean." });
    }
    return found;
  };
  return {
    file,
    metadata,
    entries,
    f32: (name) => readAsF32(file, entry(name)),
    f64: (name, into) => readAsF64(file, entry(name), into),
    i32: (name) => readAsI32(file, entry(name)),
    i64: (name) => new BigInt64Array(readRaw(file, requireDtype(file, entry(name), ["I64"])).buffer),
    bytes: (name) => readRaw(file, entry(name)),
    shape: (name) => entry(name).shape,
  };
}

/** One weight of a model as float32: reads just its range, into `into` where that is given. */
export function readTensorF32(checkpoint: Checkpoint, name: string, into?: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  const entry = checkpoint.tensors.get(name);
  if (entry === undefined) {
    throw new UserError({
      what: `The model has no tensor ${shown(name)}.`,
      where: checkpoint.folder,
      fix: "Check that the adapter or run belongs to this model.",
    });
  }
  return readAsF32(join(checkpoint.folder, entry.file), entry, into);
}

const pieceElements = 1 << 18;

function readAsF32(file: string, entry: SafetensorsEntry, into?: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  const out = into ?? new Float32Array(entry.shape.reduce((product, side) => product * side, 1));
  if (entry.dtype === "F32") {
    readRaw(file, entry, bytesOf(entry, out));
    return out;
  }
  if (entry.dtype === "F64") {
    out.set(new Float64Array(readRaw(file, entry).buffer));
    return out;
  }
  requireDtype(file, entry, ["BF16", "F16"]);
  const convert = entry.dtype === "BF16" ? bf16ToF32 : f16ToF32;
  const elements = entry.sizeBytes / 2;
  if (out.length !== elements) throw misfit(entry, out);
  const piece = new Uint16Array(Math.min(pieceElements, elements));
  withFile(file, (fd) => {
    for (let at = 0; at < elements; at += piece.length) {
      const bits = piece.subarray(0, Math.min(piece.length, elements - at));
      readFully(fd, new Uint8Array(bits.buffer, 0, bits.byteLength), entry.offsetBytes + 2 * at, file);
      convert(bits, out.subarray(at, at + bits.length));
    }
  });
  return out;
}

function readAsF64(file: string, entry: SafetensorsEntry, into?: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  if (entry.dtype === "F64") {
    const out = into ?? new Float64Array(entry.sizeBytes / 8);
    readRaw(file, entry, bytesOf(entry, out));
    return out;
  }
  return Float64Array.from(readAsF32(file, entry));
}

function readAsI32(file: string, entry: SafetensorsEntry): Int32Array<ArrayBuffer> {
  requireDtype(file, entry, ["I32", "I64", "U8"]);
  const raw = readRaw(file, entry);
  if (entry.dtype === "I32") return new Int32Array(raw.buffer);
  if (entry.dtype === "U8") return Int32Array.from(raw);
  const wide = new BigInt64Array(raw.buffer);
  const out = new Int32Array(wide.length);
  for (let i = 0; i < wide.length; i += 1) {
    out[i] = Number(wide[i]!);
    if (BigInt(out[i]!) !== wide[i]!) {
      throw new UserError({
        what: `Tensor ${shown(entry.name)} holds ${wide[i]}, which does not fit 32 bits.`,
        where: file,
        fix: "Check that this is the file you mean.",
      });
    }
  }
  return out;
}

function bytesOf(entry: SafetensorsEntry, out: Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (out.byteLength !== entry.sizeBytes) throw misfit(entry, out);
  return new Uint8Array(out.buffer, out.byteOffset, out.byteLength);
}

function misfit({ name, shape }: SafetensorsEntry, out: Float32Array | Float64Array): Error {
  return new Error(`${name} [${shape.join(", ")}] does not go into ${out.length} values`);
}

function readRaw(file: string, entry: SafetensorsEntry, into?: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return withFile(file, (fd, fileBytes) => {
    if (entry.offsetBytes + entry.sizeBytes > fileBytes) {
      throw new UserError({
        what: `The file has shrunk to ${fileBytes} bytes since it was opened; tensor ${shown(entry.name)} lies beyond.`,
        where: file,
        fix: "Leave model files alone while they are in use, then start again.",
      });
    }
    const out = into ?? new Uint8Array(entry.sizeBytes);
    readFully(fd, out, entry.offsetBytes, file);
    return out;
  });
}

function requireDtype(file: string, entry: SafetensorsEntry, allowed: readonly string[]): SafetensorsEntry {
  if (allowed.includes(entry.dtype)) return entry;
  throw new UserError({
    what: `Tensor ${shown(entry.name)} is ${entry.dtype}; ${allowed.join(" or ")} is needed here.`,
    where: file,
    fix: "Check that this is the file you mean.",
  });
}
