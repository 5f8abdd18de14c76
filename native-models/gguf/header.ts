// The header of a GGUF file: its metadata and where each tensor lies. No weight is read.
// In: a file of unknown origin. Out: a GgufFile. Every length is compared with what the file can still hold before
// anything of its size is allocated; arrays of numbers stay packed. Cost: about the header's own size.

import { UserError } from "../errors.ts";
import { readFully, withFile } from "../checkpoint/file-bytes.ts";
import { shown } from "../checkpoint/safetensors-header.ts";
import { ggmlKinds } from "./types.ts";
import type { GgufFile, GgufNumbers, GgufScalar, GgufTensor, GgufValue } from "./types.ts";

const largestHeaderBytes = 256 * 1024 * 1024;
const largestStringBytes = 16 * 1024 * 1024;
const largestStringCount = 4_000_000;
const largestEntryCount = 1_000_000;
const defaultAlignment = 32;

export function openGguf(file: string): GgufFile {
  return withFile(file, (fd, fileBytes) => {
    const cursor = new Cursor(fd, fileBytes, file);
    if (cursor.uint32("magic") !== 0x46554747) throw broken(file, "It does not start with GGUF.", "Choose a .gguf file.");
    const version = cursor.uint32("version");
    if (version !== 2 && version !== 3) {
      throw broken(file, `It has GGUF version ${version}; versions 2 and 3 are read.`, "Convert the file with a current llama.cpp.");
    }
    const tensorCount = cursor.count("number of tensors", largestEntryCount);
    const keyCount = cursor.count("number of metadata keys", largestEntryCount);
    const metadata = new Map<string, GgufValue>();
    for (let i = 0; i < keyCount; i += 1) {
      const key = cursor.text("a metadata key");
      if (metadata.has(key)) throw broken(file, `Its metadata has ${shown(key)} twice.`);
      metadata.set(key, readValue(cursor, cursor.uint32(key), key));
    }
    const tensors = readTensors(cursor, tensorCount, alignmentOf(file, metadata), fileBytes);
    return { file, version, metadata, tensors };
  });
}

function readTensors(cursor: Cursor, count: number, alignment: number, fileBytes: number): Map<string, GgufTensor> {
  const { file } = cursor;
  const tensors = new Map<string, GgufTensor>();
  for (let i = 0; i < count; i += 1) {
    const name = cursor.text("a tensor name");
    if (tensors.has(name)) throw broken(file, `It has tensor ${shown(name)} twice.`);
    tensors.set(name, readTensor(cursor, name));
  }
  const dataStart = Math.ceil(cursor.position / alignment) * alignment;
  for (const tensor of tensors.values()) {
    if (tensor.offsetBytes % alignment !== 0) throw broken(file, `Tensor ${shown(tensor.name)} starts at ${tensor.offsetBytes}, not a multiple of ${alignment}.`);
    tensor.offsetBytes += dataStart;
    if (tensor.offsetBytes + tensor.sizeBytes > fileBytes) {
      throw broken(file, `Tensor ${shown(tensor.name)} ends at byte ${tensor.offsetBytes + tensor.sizeBytes}, but the file has ${fileBytes}.`);
    }
  }
  const sorted = [...tensors.values()].sort((x, y) => x.offsetBytes - y.offsetBytes);
  for (let i = 1; i < sorted.length; i += 1) {
    if (sorted[i - 1]!.offsetBytes + sorted[i - 1]!.sizeBytes > sorted[i]!.offsetBytes) {
      throw broken(file, `Tensors ${shown(sorted[i - 1]!.name)} and ${shown(sorted[i]!.name)} overlap.`);
    }
  }
  return tensors;
}

function readTensor(cursor: Cursor, name: string): GgufTensor {
  const { file } = cursor;
  const rank = cursor.uint32(name);
  if (rank < 1 || rank > 4) throw broken(file, `Tensor ${shown(name)} has ${rank} dimensions; 1 to 4 are possible.`);
  const shape: number[] = [];
  let elements = 1;
  for (let i = 0; i < rank; i += 1) {
    const side = cursor.count(`a side of ${shown(name)}`, Number.MAX_SAFE_INTEGER);
    elements *= side;
    if (side < 1 || elements > 2 ** 48) throw broken(file, `Tensor ${shown(name)} has an impossible shape.`);
    shape.unshift(side);
  }
  const number = cursor.uint32(name);
  const kind = ggmlKinds.get(number);
  if (kind === undefined) throw broken(file, `Tensor ${shown(name)} is of the unknown kind ${number}.`, "Convert the model again in a usual kind, for example Q8_0.");
  if (shape.at(-1)! % kind.blockElements !== 0) {
    throw broken(file, `Tensor ${shown(name)} has rows of ${shape.at(-1)}, which ${kind.name} blocks of ${kind.blockElements} do not divide.`);
  }
  const offsetBytes = cursor.count(`the offset of ${shown(name)}`, Number.MAX_SAFE_INTEGER);
  return { name, kind, shape, offsetBytes, sizeBytes: (elements / kind.blockElements) * kind.blockBytes };
}

function alignmentOf(file: string, metadata: ReadonlyMap<string, GgufValue>): number {
  const alignment = metadata.get("general.alignment") ?? defaultAlignment;
  if (typeof alignment !== "number" || !Number.isInteger(alignment) || alignment < 8 || alignment > 65_536 || alignment % 8 !== 0) {
    throw broken(file, `Its general.alignment is ${String(alignment).slice(0, 40)}, which is no multiple of 8 up to 65536.`);
  }
  return alignment;
}

const typeString = 8;
const typeArray = 9;

interface NumberType {
  bytes: number;
  one(view: DataView): GgufScalar;
  many(buffer: ArrayBuffer): GgufNumbers;
}

const numberTypes: ReadonlyMap<number, NumberType> = new Map<number, NumberType>([
  [0, { bytes: 1, one: (v) => v.getUint8(0), many: (b) => new Uint8Array(b) }],
  [1, { bytes: 1, one: (v) => v.getInt8(0), many: (b) => new Int8Array(b) }],
  [2, { bytes: 2, one: (v) => v.getUint16(0, true), many: (b) => new Uint16Array(b) }],
  [3, { bytes: 2, one: (v) => v.getInt16(0, true), many: (b) => new Int16Array(b) }],
  [4, { bytes: 4, one: (v) => v.getUint32(0, true), many: (b) => new Uint32Array(b) }],
  [5, { bytes: 4, one: (v) => v.getInt32(0, true), many: (b) => new Int32Array(b) }],
  [6, { bytes: 4, one: (v) => v.getFloat32(0, true), many: (b) => new Float32Array(b) }],
  [7, { bytes: 1, one: (v) => v.getUint8(0) !== 0, many: (b) => new Uint8Array(b) }],
  [10, { bytes: 8, one: (v) => v.getBigUint64(0, true), many: (b) => new BigUint64Array(b) }],
  [11, { bytes: 8, one: (v) => v.getBigInt64(0, true), many: (b) => new BigInt64Array(b) }],
  [12, { bytes: 8, one: (v) => v.getFloat64(0, true), many: (b) => new Float64Array(b) }],
]);

function readValue(cursor: Cursor, type: number, key: string): GgufValue {
  if (type === typeString) return cursor.text(key);
  const scalar = numberTypes.get(type);
  if (scalar !== undefined) return scalar.one(cursor.view(scalar.bytes, key));
  if (type !== typeArray) throw broken(cursor.file, `Its metadata ${shown(key)} is of the unknown type ${type}.`);
  const itemType = cursor.uint32(key);
  if (itemType === typeString) {
    const length = cursor.count(key, Math.min(largestStringCount, cursor.leftBytes / 8));
    const texts: string[] = [];
    for (let i = 0; i < length; i += 1) texts.push(cursor.text(key));
    return texts;
  }
  const item = numberTypes.get(itemType);
  if (item === undefined) throw broken(cursor.file, `Its metadata ${shown(key)} is an array of the unsupported type ${itemType}.`);
  const length = cursor.count(key, cursor.leftBytes / item.bytes);
  return item.many(cursor.bytes(length * item.bytes, key).slice().buffer);
}

// Reads forward through the header by a window of the file, never past its end or the header limit.
class Cursor {
  position = 0;
  readonly file: string;
  readonly #fd: number;
  readonly #endBytes: number;
  #window = new Uint8Array(0);
  #windowStart = 0;

  constructor(fd: number, fileBytes: number, file: string) {
    this.#fd = fd;
    this.#endBytes = Math.min(fileBytes, largestHeaderBytes);
    this.file = file;
  }

  get leftBytes(): number {
    return this.#endBytes - this.position;
  }

  /** The next bytes; valid until the next call. */
  bytes(length: number, what: string): Uint8Array {
    if (!(length <= this.leftBytes)) {
      throw broken(this.file, `It ends inside ${shown(what)}: ${length} bytes are announced at ${this.position}, ${this.leftBytes} are left.`);
    }
    const from = this.position - this.#windowStart;
    if (from + length > this.#window.byteLength) return this.#refill(length);
    this.position += length;
    return this.#window.subarray(from, from + length);
  }

  #refill(length: number): Uint8Array {
    this.#window = new Uint8Array(Math.min(Math.max(length, 1 << 20), this.leftBytes));
    this.#windowStart = this.position;
    readFully(this.#fd, this.#window, this.position, this.file);
    this.position += length;
    return this.#window.subarray(0, length);
  }

  view(length: number, what: string): DataView {
    const bytes = this.bytes(length, what);
    return new DataView(bytes.buffer, bytes.byteOffset, length);
  }

  uint32(what: string): number {
    return this.view(4, what).getUint32(0, true);
  }

  /** A 64-bit count of at most `limit`. */
  count(what: string, limit: number): number {
    const value = Number(this.view(8, what).getBigUint64(0, true));
    if (value > limit) throw broken(this.file, `It announces ${value} for ${what}; ${Math.floor(limit)} is the most possible there.`);
    return value;
  }

  text(what: string): string {
    const bytes = this.bytes(this.count(`the length of ${shown(what)}`, largestStringBytes), what);
    return new TextDecoder("utf-8").decode(bytes);
  }
}

function broken(file: string, what: string, fix = "The file is damaged or not fully downloaded: get it again."): UserError {
  return new UserError({ what, where: file, fix });
}
