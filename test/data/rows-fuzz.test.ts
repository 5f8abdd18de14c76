// Readers against noise: whatever the bytes, the answer is rows or a UserError that names the place.

import fc from "fast-check";
import { parquetWriteBuffer } from "hyparquet-writer";
import { describe, expect, test } from "vitest";
import { openParquet } from "../../native-models/data/records/parquet.ts";
import { openRows } from "../../native-models/data/rows/open.ts";
import { readQuestions } from "../../native-models/data/questions.ts";
import { UserError } from "../../native-models/errors.ts";
import { tempFile } from "./temp-files.ts";

async function rowsOrUserError(name: string, content: Uint8Array | string): Promise<number | UserError> {
  const path = tempFile(name, content);
  await readQuestions(path).catch((error: unknown) => expect(error).toBeInstanceOf(UserError));
  try {
    const source = await openRows(path);
    try {
      let count = 0;
      for await (const { row } of source.rows()) {
        expect(row.turns.every((turn) => typeof turn.content === "string")).toBe(true);
        count += 1;
      }
      expect(count).toBe(source.count);
      return count;
    } finally {
      await source.close();
    }
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    expect(error.what.length).toBeLessThan(1000); // quoted, never the whole content
    return error;
  }
}

async function parquetOrUserError(path: string): Promise<number | UserError> {
  try {
    const source = await openParquet(path, { answerLimitMs: 1500 });
    try {
      for await (const { value } of source.records()) expect(typeof value).toBe("object");
      return source.count;
    } finally {
      await source.close();
    }
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return error;
  }
}

const kinds = fc.constantFrom("a.jsonl", "a.json", "a.csv", "a.parquet", "a.txt");
const valid = '{"prompt":"a","completion":"b"}\n{"prompt":"c","completion":"d"}\n';

describe("malformed data never crashes a reader", () => {
  test("any bytes", async () => {
    await fc.assert(fc.asyncProperty(kinds, fc.uint8Array({ maxLength: 200 }), async (name, bytes) => void (await rowsOrUserError(name, bytes))), { numRuns: 150 });
  });

  test("valid text with bytes changed", async () => {
    const texts = fc.constantFrom<[string, string]>(["a.jsonl", valid], ["a.json", `[${valid.trim().replace("\n", ",")}]`], ["a.csv", 'prompt,completion\n"a ""q""",b\nc,d\n']);
    const edits = fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(texts, edits, async ([name, text], changes) => {
        const bytes = Buffer.from(text);
        for (const [where, byte] of changes) bytes[Math.floor(where * bytes.length)] = byte;
        await rowsOrUserError(name, bytes);
      }),
      { numRuns: 150 },
    );
  });

  // Each file takes a thread of its own, so the runs are few; a damaged one may also cost the whole time limit.
  test("a Parquet file with bytes changed or cut", async () => {
    const file = new Uint8Array(parquetWriteBuffer({ columnData: [{ name: "prompt", data: ["a", "b", "c"], type: "STRING" }, { name: "completion", data: ["d", "e", "f"], type: "STRING" }] }));
    const edit = fc.tuple(fc.nat({ max: file.length - 1 }), fc.integer({ min: 0, max: 255 }));
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { maxLength: 3 }), fc.integer({ min: 0, max: file.length }), async (edits, cut) => {
        const bytes = file.slice(0, edits.length === 0 ? cut : file.length);
        for (const [at, byte] of edits) bytes[at] = byte;
        await parquetOrUserError(tempFile("a.parquet", bytes));
      }),
      { numRuns: 30 },
    );
  });

  test("a Parquet page that sends the parser in circles ends at the time limit", async () => {
    const file = new Uint8Array(parquetWriteBuffer({ columnData: [{ name: "prompt", data: ["a", "b", "c"], type: "STRING" }], codec: "UNCOMPRESSED" }));
    expect(await parquetOrUserError(tempFile("a.parquet", file))).toBe(3);
    file[11] = 0; // inside the first page's header: hyparquet then reads the same page for ever
    const error = await parquetOrUserError(tempFile("a.parquet", file));
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).what).toContain("no answer within 1.5 s");
  });

  test("rows of any JSON value, with known column names", async () => {
    const value = fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.array(fc.record({ role: fc.jsonValue(), content: fc.jsonValue(), from: fc.jsonValue(), value: fc.jsonValue() }, { requiredKeys: [] })));
    const keys = fc.constantFrom("messages", "conversations", "prompt", "completion", "instruction", "output", "history", "tools", "text", "question", "answer", "__proto__");
    const row = fc.array(fc.tuple(keys, value), { maxLength: 4 }).map((entries) => JSON.stringify(Object.fromEntries(entries)));
    await fc.assert(fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 3 }), async (lines) => void (await rowsOrUserError("a.jsonl", lines.join("\n")))), { numRuns: 200 });
  });

  test("what was written is what is read, for any text", async () => {
    const text = fc.string({ unit: "grapheme", maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 6 }), fc.constantFrom("a.jsonl", "a.json", "a.csv"), async (pairs, name) => {
        const cell = (content: string) => `"${content.replaceAll('"', '""')}"`;
        const records = pairs.map(([prompt, completion]) => ({ prompt, completion }));
        const written = {
          "a.jsonl": records.map((record) => `${JSON.stringify(record)}\n`).join(""),
          "a.json": JSON.stringify(records),
          "a.csv": ["prompt,completion", ...pairs.map((pair) => pair.map(cell).join(","))].join("\n"),
        }[name]!;
        const source = await openRows(tempFile(name, written));
        expect(source.count).toBe(pairs.length);
        for (const [i, pair] of pairs.entries()) expect((await source.row(i)).turns.map((turn) => turn.content)).toEqual(pair);
        await source.close();
      }),
      { numRuns: 100 },
    );
  });
});
