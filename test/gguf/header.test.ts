// The GGUF header reader on files nobody should trust: an answer or a UserError, quickly and in little memory.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { UserError } from "../../native-models/errors.ts";
import { openGguf } from "../../native-models/gguf/header.ts";
import { ggufBytes } from "./gguf-file.ts";
import type { MetadataItem, TensorItem } from "./gguf-file.ts";

let root: string;
let file: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "nullspace-gguf-header-"));
  file = join(root, "x.gguf");
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const metadata: MetadataItem[] = [
  { key: "general.architecture", type: "text", value: "llama" },
  { key: "llama.block_count", type: "u32", value: 7 },
  { key: "eps", type: "f32", value: 0.5 },
  { key: "flag", type: "flag", value: 1 },
  { key: "tokens", type: "texts", value: ["a", "Ġb", ""] },
  { key: "types", type: "i32s", value: [1, -2, 3] },
];
const tensors: TensorItem[] = [
  { name: "first", shape: [2, 32], kind: 8, bytes: new Uint8Array(68) },
  { name: "second", shape: [5], kind: 0, bytes: new Uint8Array(20) },
];

function refusal(bytes: Uint8Array): string {
  writeFileSync(file, bytes);
  try {
    openGguf(file);
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return (error as UserError).what;
  }
  return "";
}

test("a header gives its metadata and where its tensors lie", () => {
  writeFileSync(file, ggufBytes(metadata, tensors));
  const gguf = openGguf(file);
  expect(Object.fromEntries(gguf.metadata)).toEqual({
    "general.architecture": "llama", "llama.block_count": 7, eps: 0.5, flag: true, tokens: ["a", "Ġb", ""], types: Int32Array.from([1, -2, 3]),
  });
  const [first, second] = [gguf.tensors.get("first")!, gguf.tensors.get("second")!];
  expect(first).toMatchObject({ shape: [2, 32], sizeBytes: 68, kind: { name: "Q8_0" } });
  expect(second.offsetBytes - first.offsetBytes).toBe(96);
});

test.each<[string, () => Uint8Array]>([
  ["does not start with GGUF", () => Buffer.from("not a gguf file at all")],
  ["GGUF version 9", () => { const bytes = ggufBytes(metadata, tensors); bytes.writeUInt32LE(9, 4); return bytes; }],
  ["number of tensors", () => { const bytes = ggufBytes(metadata, tensors); bytes.writeBigUInt64LE(2n ** 63n, 8); return bytes; }],
  ["number of metadata keys", () => { const bytes = ggufBytes(metadata, tensors); bytes.writeBigUInt64LE(2n ** 62n, 16); return bytes; }],
  ["twice", () => ggufBytes([...metadata, metadata[0]!], tensors)],
  ["twice", () => ggufBytes(metadata, [tensors[1]!, tensors[1]!])],
  ["ends at byte", () => ggufBytes(metadata, tensors).subarray(0, -64)],
  ["ends inside", () => ggufBytes(metadata, tensors).subarray(0, 60)],
  ["unknown kind 77", () => ggufBytes(metadata, [{ ...tensors[1]!, kind: 77 }])],
  ["do not divide", () => ggufBytes(metadata, [{ ...tensors[0]!, shape: [2, 31] }])],
  ["impossible shape", () => ggufBytes(metadata, [{ ...tensors[1]!, shape: [2 ** 40, 2 ** 40] }])],
  ["impossible shape", () => ggufBytes(metadata, [{ ...tensors[1]!, shape: [0] }])],
  ["5 dimensions", () => ggufBytes(metadata, [{ ...tensors[1]!, shape: [1, 1, 1, 1, 5] }])],
  ["general.alignment", () => ggufBytes([{ key: "general.alignment", type: "u32", value: 0 }], tensors)],
])("a file that is wrong is refused: %s", (words, make) => {
  expect(refusal(make())).toContain(words);
});

test("an announced array of 2^60 numbers or texts is refused before anything is allocated", () => {
  for (const kind of ["i32s", "texts"] as const) {
    const bytes = ggufBytes([{ key: "k", type: kind, value: [] }], []);
    bytes.writeBigUInt64LE(2n ** 60n, 24 + 8 + 1 + 4 + 4);
    expect(refusal(Buffer.concat([bytes, Buffer.alloc(4096)]))).toContain("announces");
  }
});

test("tensors that overlap are refused", () => {
  const bytes = ggufBytes(metadata, tensors);
  const at = bytes.indexOf("second") + 6 + 4 + 8 + 4;
  bytes.writeBigUInt64LE(32n, at);
  expect(refusal(bytes)).toContain("overlap");
});

test("any damage to a header gives an answer or a user error", () => {
  const whole = ggufBytes(metadata, tensors);
  const damage = fc.array(fc.record({ at: fc.nat(whole.length - 1), byte: fc.constantFrom(0, 1, 8, 9, 127, 128, 255) }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(damage, fc.nat(whole.length), (changes, cut) => {
      const bytes = Buffer.from(whole);
      for (const { at, byte } of changes) bytes[at] = byte;
      refusal(bytes);
      refusal(bytes.subarray(0, cut));
    }),
    { numRuns: 400 },
  );
});

test("any bytes behind the magic number give an answer or a user error", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(3), fc.nat(3), (bytes, tensorCount, keyCount) => {
      const head = ggufBytes([], []).subarray(0, 24);
      head.writeUInt8(tensorCount, 8);
      head.writeUInt8(keyCount, 16);
      refusal(Buffer.concat([head, bytes]));
    }),
    { numRuns: 400 },
  );
});
