// Writes .safetensors files piece by piece: the header first, each tensor at its offset in any order, the final name last.
// In: names, dtypes and shapes, then their data. Out: a whole file, or none. Cost: nothing beyond the caller's pieces.

import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { partialName, requireFreeSpace, unwritable, writeFully } from "./file-bytes.ts";
import { dtypeBytes } from "./safetensors-header.ts";

export type WritableDtype = "F64" | "F32" | "BF16" | "F16" | "I64" | "I32" | "U8";

export interface TensorPlan {
  name: string;
  dtype: WritableDtype;
  shape: readonly number[];
}

/** The array that holds each dtype; BF16 and F16 are raw bits. */
interface ArrayOf {
  F64: Float64Array;
  F32: Float32Array;
  BF16: Uint16Array;
  F16: Uint16Array;
  I64: BigInt64Array;
  I32: Int32Array;
  U8: Uint8Array;
}

export type TensorData = ArrayOf[WritableDtype];

export interface SafetensorsWriter {
  /** Writes `data` from element `atElement` of the tensor on. Every element is written exactly once before `finish`. */
  write(name: string, data: TensorData, atElement?: number): void;
  /** Closes the file and gives it its name. */
  finish(): void;
  /** Removes what was written; after `finish` it does nothing. */
  abort(): void;
}

export function createSafetensors(file: string, plans: readonly TensorPlan[], metadata: Readonly<Record<string, string>> = {}): SafetensorsWriter {
  const { header, places, totalBytes } = layOut(plans, metadata);
  requireFreeSpace(dirname(file), totalBytes);
  const partial = partialName(file);
  let fd: number | null;
  try {
    mkdirSync(dirname(file), { recursive: true });
    fd = openSync(partial, "wx");
  } catch (cause) {
    throw unwritable(file, cause);
  }
  const close = (): void => {
    if (fd !== null) closeSync(fd);
    fd = null;
  };
  const abort = (): void => {
    if (fd === null) return;
    close();
    rmSync(partial, { force: true });
  };
  const guarded = (act: (open: number) => void): void => {
    if (fd === null) throw new Error(`${file} is closed already`);
    try {
      act(fd);
    } catch (cause) {
      abort();
      throw cause;
    }
  };
  guarded((open) => writeFully(open, header, 0, file));
  return {
    write(name, data, atElement = 0) {
      guarded((open) => {
        const place = places.get(name);
        if (place === undefined) throw new Error(`${file}: ${name} was not planned`);
        if (!(data instanceof arrayTypes[place.dtype])) throw new Error(`${file}: ${name} is ${place.dtype}, not ${data.constructor.name}`);
        const from = atElement * dtypeBytes[place.dtype];
        if (from + data.byteLength > place.sizeBytes) throw new Error(`${file}: ${name} is written past its end`);
        writeFully(open, new Uint8Array(data.buffer, data.byteOffset, data.byteLength), place.offsetBytes + from, file);
        place.leftBytes -= data.byteLength;
      });
    },
    finish() {
      guarded((open) => {
        for (const [name, place] of places) {
          if (place.leftBytes !== 0) throw new Error(`${file}: ${name} lacks ${place.leftBytes} of ${place.sizeBytes} bytes`);
        }
        try {
          fsyncSync(open);
          close();
          renameSync(partial, file);
        } catch (cause) {
          rmSync(partial, { force: true });
          throw unwritable(file, cause);
        }
      });
    },
    abort,
  };
}

/** A whole small file at once. */
export function writeSafetensors(
  file: string,
  tensors: readonly (TensorPlan & { data: TensorData })[],
  metadata: Readonly<Record<string, string>> = {},
): void {
  const writer = createSafetensors(file, tensors, metadata);
  for (const tensor of tensors) writer.write(tensor.name, tensor.data);
  writer.finish();
}

const arrayTypes = {
  F64: Float64Array, F32: Float32Array, BF16: Uint16Array, F16: Uint16Array, I64: BigInt64Array, I32: Int32Array, U8: Uint8Array,
} as const;

interface Place {
  dtype: WritableDtype;
  offsetBytes: number;
  sizeBytes: number;
  leftBytes: number;
}

// As the reference writer does it: widest elements first, then by name, so every tensor starts at a multiple of its element.
function layOut(plans: readonly TensorPlan[], metadata: Readonly<Record<string, string>>): { header: Uint8Array; places: Map<string, Place>; totalBytes: number } {
  const sorted = [...plans].sort((x, y) => dtypeBytes[y.dtype] - dtypeBytes[x.dtype] || (x.name < y.name ? -1 : 1));
  const places = new Map<string, Place>();
  const described: [string, unknown][] = Object.keys(metadata).length === 0 ? [] : [["__metadata__", metadata]];
  let offset = 0;
  for (const { name, dtype, shape } of sorted) {
    const sizeBytes = shape.reduce((product, side) => product * side, dtypeBytes[dtype] as number);
    if (places.has(name) || name === "__metadata__") throw new Error(`tensor ${name} is planned twice or has a reserved name`);
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) throw new Error(`tensor ${name} has the impossible shape [${shape.join(", ")}]`);
    places.set(name, { dtype, offsetBytes: offset, sizeBytes, leftBytes: sizeBytes });
    described.push([name, { dtype, shape, data_offsets: [offset, offset + sizeBytes] }]);
    offset += sizeBytes;
  }
  const json = new TextEncoder().encode(`{${described.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(",")}}`);
  const headerBytes = Math.ceil(json.byteLength / 8) * 8;
  const header = new Uint8Array(8 + headerBytes).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(headerBytes), true);
  header.set(json, 8);
  for (const place of places.values()) place.offsetBytes += header.byteLength;
  return { header, places, totalBytes: header.byteLength + offset };
}
