// Safetensors files: what is written reads back, and what nobody should trust gives an answer or a UserError.

import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16 } from "../../native-models/checkpoint/float-formats.ts";
import { openSafetensors } from "../../native-models/checkpoint/safetensors.ts";
import { firstRepeatedKey } from "../../native-models/checkpoint/safetensors-header.ts";
import { createSafetensors, writeSafetensors } from "../../native-models/checkpoint/safetensors-writer.ts";
import { UserError } from "../../native-models/errors.ts";

let root: string;
let file: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "nullspace-safetensors-"));
  file = join(root, "x.safetensors");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe("a written file", () => {
  test("reads back in every dtype, with its metadata and in shapes without elements", () => {
    writeSafetensors(
      file,
      [
        { name: "u8", dtype: "U8", shape: [3], data: Uint8Array.of(1, 2, 255) },
        { name: "f64", dtype: "F64", shape: [1, 2], data: Float64Array.of(Math.PI, -1e300) },
        { name: "f32", dtype: "F32", shape: [2], data: Float32Array.of(0.1, -0) },
        { name: "bf16", dtype: "BF16", shape: [2], data: Uint16Array.of(0x3f80, 0xc000) },
        { name: "f16", dtype: "F16", shape: [2], data: Uint16Array.of(0x3c00, 0xc000) },
        { name: "i64", dtype: "I64", shape: [2], data: BigInt64Array.of(-7n, 9n) },
        { name: "i32", dtype: "I32", shape: [], data: Int32Array.of(-5) },
        { name: "none", dtype: "F32", shape: [0, 4], data: new Float32Array(0) },
      ],
      { format: "pt", "quoted \"key\"": "ü" },
    );
    const opened = openSafetensors(file);
    expect(Object.fromEntries(opened.metadata)).toEqual({ format: "pt", "quoted \"key\"": "ü" });
    expect(opened.f64("f64")).toEqual(Float64Array.of(Math.PI, -1e300));
    expect(opened.f32("f32")).toEqual(Float32Array.of(0.1, -0));
    expect([opened.f32("bf16"), opened.f32("f16")]).toEqual([Float32Array.of(1, -2), Float32Array.of(1, -2)]);
    expect([opened.i64("i64"), opened.i32("i64"), opened.i32("i32"), opened.i32("u8")]).toEqual([
      BigInt64Array.of(-7n, 9n), Int32Array.of(-7, 9), Int32Array.of(-5), Int32Array.of(1, 2, 255),
    ]);
    expect([opened.f32("none").length, opened.shape("none")]).toEqual([0, [0, 4]]);
  });

  test("has every tensor at a multiple of its element, whatever the order it was planned in", () => {
    writeSafetensors(file, [
      { name: "a", dtype: "U8", shape: [3], data: new Uint8Array(3) },
      { name: "b", dtype: "F64", shape: [1], data: new Float64Array(1) },
      { name: "c", dtype: "BF16", shape: [1], data: new Uint16Array(1) },
      { name: "d", dtype: "F32", shape: [1], data: new Float32Array(1) },
    ]);
    const { entries } = openSafetensors(file);
    expect(["b", "d", "c"].map((name, i) => entries.get(name)!.offsetBytes % [8, 4, 2][i]!)).toEqual([0, 0, 0]);
  });

  test("may be written in pieces and in any order; it has its name only at the end", () => {
    const writer = createSafetensors(file, [{ name: "a", dtype: "F32", shape: [4] }, { name: "b", dtype: "I32", shape: [1] }]);
    writer.write("b", Int32Array.of(9));
    writer.write("a", Float32Array.of(3, 4), 2);
    expect(() => openSafetensors(file)).toThrow("cannot be read");
    writer.write("a", Float32Array.of(1, 2));
    writer.finish();
    writer.abort();
    expect(openSafetensors(file).f32("a")).toEqual(Float32Array.of(1, 2, 3, 4));
    expect(readdirSync(root)).toEqual(["x.safetensors"]);
  });

  test("is not there at all when a tensor is missing, too long, of another type or given up", () => {
    const plans = [{ name: "a", dtype: "F32" as const, shape: [2] }];
    expect(() => createSafetensors(file, plans).finish()).toThrow("lacks 8 of 8 bytes");
    expect(() => createSafetensors(file, plans).write("a", new Float32Array(3))).toThrow("past its end");
    expect(() => createSafetensors(file, plans).write("a", new Int32Array(2))).toThrow("not Int32Array");
    createSafetensors(file, plans).abort();
    expect(readdirSync(root)).toEqual([]);
  });

  test("replaces an older one only when whole", () => {
    writeSafetensors(file, [{ name: "a", dtype: "U8", shape: [1], data: Uint8Array.of(1) }]);
    createSafetensors(file, [{ name: "a", dtype: "U8", shape: [1] }]).abort();
    expect(openSafetensors(file).bytes("a")).toEqual(Uint8Array.of(1));
  });

  test("beyond the disk's free space is refused before a byte is written", () => {
    expect(() => createSafetensors(file, [{ name: "a", dtype: "F64", shape: [2 ** 30, 2 ** 17] }])).toThrow("MB free");
    expect(readdirSync(root)).toEqual([]);
  });
});

function withHeader(header: unknown, dataBytes = 16): Buffer {
  const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, Buffer.alloc(dataBytes)]);
}

function refusal(bytes: Uint8Array): string {
  writeFileSync(file, bytes);
  try {
    const opened = openSafetensors(file);
    for (const name of opened.entries.keys()) opened.bytes(name);
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).where).toContain(file);
    return (error as UserError).what;
  }
  return "";
}

describe("a file that is wrong is refused", () => {
  const f32 = (shape: unknown, data_offsets: unknown): unknown => ({ dtype: "F32", shape, data_offsets });
  const length = (value: bigint): Buffer => {
    const bytes = withHeader({});
    bytes.writeBigUInt64LE(value);
    return bytes;
  };
  test.each<[string, Uint8Array]>([
    ["too few", Buffer.from("short")],
    ["claims 922337203685477", length(2n ** 63n)],
    ["claims 200 bytes", length(200n)],
    ["not valid JSON", withHeader("{\"a\":")],
    ["not valid JSON", withHeader("\xff\xfe")],
    ["not a JSON object", withHeader("[]")],
    ["names tensor \"a\" twice", withHeader('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}, "\\u0061" :{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}')],
    ["Tensor \"a\" has no description", withHeader({ a: 1 })],
    ["unknown dtype \"F99\"", withHeader({ a: { dtype: "F99", shape: [1], data_offsets: [0, 4] } })],
    ["unknown dtype \"toString\"", withHeader({ a: { dtype: "toString", shape: [1], data_offsets: [0, 4] } })],
    ["no list of up to 16", withHeader({ a: f32([-1], [0, 4]) })],
    ["no list of up to 16", withHeader({ a: f32([1.5], [0, 4]) })],
    ["no list of up to 16", withHeader({ a: f32(Array(17).fill(1), [0, 4]) })],
    ["not two whole numbers", withHeader({ a: f32([1], [0]) })],
    ["not two whole numbers", withHeader({ a: f32([1], [0, 2 ** 60]) })],
    ["lies at bytes 16 to 20", withHeader({ a: f32([1], [16, 20]) })],
    ["lies at bytes 8 to 4", withHeader({ a: f32([1], [8, 4]) })],
    ["needs 8 bytes, but its data_offsets span 4", withHeader({ a: f32([2], [0, 4]) })],
    ["beyond any size", withHeader({ a: f32([2 ** 40, 2 ** 40], [0, 4]) })],
    ["overlap", withHeader({ a: f32([2], [0, 8]), b: f32([2], [4, 12]) })],
    ["__metadata__", withHeader({ __metadata__: { a: 1 } })],
  ])("%s", (words, bytes) => {
    expect(refusal(bytes)).toContain(words);
  });

  test("a name that objects have by themselves is a name like any other", () => {
    expect(refusal(withHeader('{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"constructor":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}'))).toBe("");
    expect([...openSafetensors(file).entries.keys()]).toEqual(["__proto__", "constructor"]);
  });

  test("any JSON as a header gives an answer or a user error", () => {
    const side = fc.oneof(fc.nat(5), fc.constantFrom(-1, 0.5, 2 ** 53, 1e308, null, "1"));
    const entry = fc.record({ dtype: fc.constantFrom("F32", "U8", "X", null), shape: fc.oneof(fc.array(side), fc.jsonValue()), data_offsets: fc.oneof(fc.tuple(side, side), fc.jsonValue()) });
    fc.assert(
      fc.property(fc.oneof(fc.dictionary(fc.string(), fc.oneof(entry, fc.jsonValue())), fc.jsonValue()), (header) => {
        refusal(withHeader(header));
      }),
      { numRuns: 300 },
    );
  });

  test("any damage to a file gives an answer or a user error", () => {
    writeSafetensors(file, [{ name: "one", dtype: "F32", shape: [2, 2], data: new Float32Array(4) }, { name: "two", dtype: "I64", shape: [1], data: new BigInt64Array(1) }], { k: "v" });
    const whole = readFileSync(file);
    const change = fc.record({ at: fc.nat(whole.length - 1), byte: fc.constantFrom(0, 34, 44, 45, 48, 57, 91, 92, 123, 125, 255) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), fc.nat(whole.length), (changes, cut) => {
        const bytes = Buffer.from(whole);
        for (const { at, byte } of changes) bytes[at] = byte;
        refusal(bytes);
        refusal(bytes.subarray(0, cut));
      }),
      { numRuns: 300 },
    );
  });
});

test("a repeated key is found at the outermost level only, and not in texts", () => {
  expect(firstRepeatedKey('{"a":{"b":1,"b":2},"c":["a","a"],"d":"\\"a\\":"}')).toBeNull();
  expect(firstRepeatedKey('{"a":1,"b":{"a":2},"a":3}')).toBe("a");
  fc.assert(fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => firstRepeatedKey(JSON.stringify(value)) === null));
});

describe("16-bit floats", () => {
  const bitsOfAll = Uint16Array.from({ length: 65_536 }, (_, bits) => bits);
  test.each([
    ["bf16", bf16ToF32, f32ToBf16],
    ["f16", f16ToF32, f32ToF16],
  ] as const)("every %s value survives the way through float32", (_, widen, narrow) => {
    const wide = new Float32Array(65_536);
    widen(bitsOfAll, wide);
    const back = new Uint16Array(65_536);
    narrow(wide, back);
    const wrong = bitsOfAll.filter((bits) => !Number.isNaN(wide[bits]!) && back[bits] !== bits);
    expect([...wrong]).toEqual([]);
    const again = new Float32Array(65_536);
    widen(back, again);
    expect(again.every((value, i) => Number.isNaN(value) === Number.isNaN(wide[i]!))).toBe(true);
  });

  test.each([
    ["bf16", bf16ToF32, f32ToBf16],
    ["f16", f16ToF32, f32ToF16],
  ] as const)("rounding to %s takes the nearest value, the even one at a tie", (_, widen, narrow) => {
    const sorted = new Float32Array(65_536);
    widen(bitsOfAll, sorted);
    const positive = sorted.filter((value) => value >= 0 && Number.isFinite(value)).sort();
    const halves = Float32Array.from({ length: positive.length - 1 }, (_, i) => positive[i]! / 2 + positive[i + 1]! / 2);
    const got = new Uint16Array(halves.length);
    narrow(halves, got);
    const exactTies = [...halves].map((half, i) => [half, i] as const).filter(([half, i]) => half - positive[i]! === positive[i + 1]! - half);
    expect(exactTies.length).toBeGreaterThan(halves.length * 0.9);
    expect(exactTies.filter(([, i]) => got[i]! % 2 !== 0)).toEqual([]);
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true, min: Math.fround(-60000), max: Math.fround(60000) }), (value) => {
        const bits = new Uint16Array(1);
        narrow(Float32Array.of(value), bits);
        const around = new Float32Array(3);
        widen(Uint16Array.of(bits[0]!, bits[0]! + 1, Math.max(0, bits[0]! - 1)), around);
        const [chosen, up, down] = [...around].map((near) => Math.abs(near - value));
        expect(chosen! <= Math.min(Number.isFinite(up!) ? up! : Infinity, Number.isFinite(down!) ? down! : Infinity)).toBe(true);
      }),
    );
  });
});
