// The header of a .safetensors file, read and checked; no weight is touched.
// In: a file of unknown origin. Out: its entries with absolute offsets. Lengths, offsets, shapes and names are checked
// against the file before anything of their size is allocated; what does not fit is a UserError naming file and tensor.

import { UserError } from "../errors.ts";
import { messageOf, readFully, withFile } from "./file-bytes.ts";

/** Bytes an element, by the format's own names. */
export const dtypeBytes = {
  F64: 8, I64: 8, U64: 8, F32: 4, I32: 4, U32: 4, F16: 2, BF16: 2, I16: 2, U16: 2, I8: 1, U8: 1, BOOL: 1, F8_E4M3: 1, F8_E5M2: 1,
} as const;

export type SafetensorsDtype = keyof typeof dtypeBytes;

export interface SafetensorsEntry {
  name: string;
  dtype: SafetensorsDtype;
  shape: readonly number[];
  /** Absolute byte offset of the first element in the file. */
  offsetBytes: number;
  sizeBytes: number;
}

export interface SafetensorsHeader {
  /** The header's JSON as it stands in the file. */
  bytes: Uint8Array;
  metadata: ReadonlyMap<string, string>;
  entries: ReadonlyMap<string, SafetensorsEntry>;
}

const largestHeaderBytes = 100_000_000; // the format's own limit
const largestRank = 16;

export function readSafetensorsHeader(file: string): SafetensorsHeader {
  return withFile(file, (fd, fileBytes) => {
    if (fileBytes < 8) throw broken(file, `It has ${fileBytes} bytes, too few for a safetensors header.`);
    const prefix = new Uint8Array(8);
    readFully(fd, prefix, 0, file);
    const headerBytes = Number(new DataView(prefix.buffer).getBigUint64(0, true));
    if (headerBytes > Math.min(largestHeaderBytes, fileBytes - 8)) {
      throw broken(file, `Its header claims ${headerBytes} bytes, but the file has ${fileBytes} and a header at most ${largestHeaderBytes}.`);
    }
    const bytes = new Uint8Array(headerBytes);
    readFully(fd, bytes, 8, file);
    return { bytes, ...parseHeader(file, bytes, 8 + headerBytes, fileBytes) };
  });
}

function parseHeader(file: string, bytes: Uint8Array, dataStart: number, fileBytes: number): Omit<SafetensorsHeader, "bytes"> {
  let text: string;
  let json: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    json = JSON.parse(text);
  } catch (cause) {
    throw broken(file, `Its header is not valid JSON: ${messageOf(cause).slice(0, 200)}.`, cause);
  }
  if (!isObject(json)) throw broken(file, "Its header is not a JSON object.");
  const twice = firstRepeatedKey(text);
  if (twice !== null) throw broken(file, `Its header names tensor ${shown(twice)} twice.`);

  const metadata = new Map<string, string>();
  const entries = new Map<string, SafetensorsEntry>();
  for (const [name, value] of Object.entries(json)) {
    if (name === "__metadata__") {
      if (!isObject(value)) throw broken(file, "Its __metadata__ is not an object.");
      for (const [key, item] of Object.entries(value)) {
        if (typeof item !== "string") throw broken(file, `Its __metadata__ has ${shown(key)}, which is not a string.`);
        metadata.set(key, item);
      }
    } else {
      entries.set(name, checkedEntry(file, name, value, dataStart, fileBytes));
    }
  }
  refuseOverlaps(file, entries);
  return { metadata, entries };
}

function checkedEntry(file: string, name: string, value: unknown, dataStart: number, fileBytes: number): SafetensorsEntry {
  const tensor = `Tensor ${shown(name)}`;
  if (!isObject(value)) throw broken(file, `${tensor} has no description.`);
  const dtype = value["dtype"];
  if (typeof dtype !== "string" || !Object.hasOwn(dtypeBytes, dtype)) {
    throw broken(file, `${tensor} has the unknown dtype ${shown(String(dtype))}; known are ${Object.keys(dtypeBytes).join(", ")}.`);
  }
  const shape = value["shape"];
  if (!Array.isArray(shape) || shape.length > largestRank || !shape.every(isCount)) {
    throw broken(file, `${tensor} has a shape that is no list of up to ${largestRank} whole numbers.`);
  }
  const offsets = value["data_offsets"];
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    throw broken(file, `${tensor} has data_offsets that are not two whole numbers.`);
  }
  const [begin, end] = offsets as [number, number];
  const dataBytes = fileBytes - dataStart;
  if (begin > end || end > dataBytes) {
    throw broken(file, `${tensor} lies at bytes ${begin} to ${end}, but the file has ${dataBytes} bytes of data.`);
  }
  const known = dtype as SafetensorsDtype;
  let sizeBytes: number = shape.includes(0) ? 0 : dtypeBytes[known];
  for (const side of shape as number[]) {
    sizeBytes *= side;
    if (sizeBytes > Number.MAX_SAFE_INTEGER) throw broken(file, `${tensor} has a shape beyond any size: [${shape.join(", ")}].`);
  }
  if (sizeBytes !== end - begin) {
    throw broken(file, `${tensor} of ${known} [${shape.join(", ")}] needs ${sizeBytes} bytes, but its data_offsets span ${end - begin}.`);
  }
  return { name, dtype: known, shape: shape as number[], offsetBytes: dataStart + begin, sizeBytes };
}

function refuseOverlaps(file: string, entries: ReadonlyMap<string, SafetensorsEntry>): void {
  const sorted = [...entries.values()].filter((e) => e.sizeBytes > 0).sort((x, y) => x.offsetBytes - y.offsetBytes);
  for (let i = 1; i < sorted.length; i += 1) {
    const before = sorted[i - 1]!;
    if (before.offsetBytes + before.sizeBytes > sorted[i]!.offsetBytes) {
      throw broken(file, `Tensors ${shown(before.name)} and ${shown(sorted[i]!.name)} overlap.`);
    }
  }
}

/** The first key that the outermost object of valid JSON `text` holds twice; JSON.parse would silently keep the last. */
export function firstRepeatedKey(text: string): string | null {
  const seen = new Set<string>();
  let depth = 0;
  for (let i = 0; i < text.length; i += 1) {
    const char = text[i];
    if (char === "{" || char === "[") depth += 1;
    else if (char === "}" || char === "]") depth -= 1;
    else if (char === '"') {
      const start = i;
      for (i += 1; text[i] !== '"'; i += 1) if (text[i] === "\\") i += 1;
      if (depth !== 1) continue;
      let after = i + 1;
      while (" \t\r\n".includes(text[after] ?? "x")) after += 1;
      if (text[after] !== ":") continue;
      const key = JSON.parse(text.slice(start, i + 1)) as string;
      if (seen.has(key)) return key;
      seen.add(key);
    }
  }
  return null;
}

/** A name from a file, short and on one line. */
export function shown(name: string): string {
  return JSON.stringify(name.length > 120 ? `${name.slice(0, 117)}...` : name);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function broken(file: string, what: string, cause?: unknown): UserError {
  return new UserError({ what, where: file, fix: "The file is damaged or not fully downloaded: get it again." }, { cause });
}
