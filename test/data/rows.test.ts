// Every training data format becomes the same rows; what is broken is named by line and quoted.

import { parquetWriteBuffer } from "hyparquet-writer";
import { describe, expect, test } from "vitest";
import { inspectRows } from "../../native-models/data/rows/inspect.ts";
import { openLikeRows, openRows } from "../../native-models/data/rows/open.ts";
import type { TrainingRow } from "../../native-models/data/rows/types.ts";
import { tempFile, tempFolder } from "./temp-files.ts";

async function readAll(path: string, options: Parameters<typeof openRows>[1] = {}) {
  const source = await openRows(path, options);
  const rows: TrainingRow[] = [];
  try {
    for await (const { row } of source.rows()) rows.push(row);
  } finally {
    await source.close();
  }
  return { ...source, read: rows.map(brief) };
}

/** "user: hi | assistant*: yes": * is trained. */
const brief = (row: TrainingRow) => row.turns.map((turn) => `${turn.role}${turn.isTrained ? "*" : ""}: ${turn.content}`).join(" | ");

const pair = "user: 1+1 | assistant*: 2";
const formats: { name: string; record: Record<string, unknown>; read: string }[] = [
  { name: "alpaca", record: { instruction: "Add", input: "1+1", output: "2" }, read: "user: Add\n1+1 | assistant*: 2" },
  { name: "alpaca", record: { instruction: "1+1", output: "2" }, read: pair },
  {
    name: "alpaca",
    record: { instruction: "1+1", input: "", output: "2", system: "Be brief.", history: [["0+1", "1"]] },
    read: `system: Be brief. | user: 0+1 | assistant*: 1 | ${pair}`,
  },
  { name: "prompt/completion", record: { prompt: "1+1", completion: "2" }, read: pair },
  {
    name: "prompt/completion",
    record: { prompt: [{ role: "user", content: "1+1" }], completion: [{ role: "assistant", content: "2" }] },
    read: pair,
  },
  { name: "query/response", record: { query: "1+1", response: "2", original_question: "one and one", type: "x" }, read: pair },
  { name: "question/answer", record: { question: "1+1", answer: 2 }, read: pair },
  { name: "text", record: { text: "1+1=2" }, read: "text*: 1+1=2" },
  { name: "sharegpt", record: { conversations: [{ from: "human", value: "1+1" }, { from: "gpt", value: "2" }] }, read: pair },
  {
    name: "sharegpt",
    record: { system: "s", tools: '[{"name":"f"}]', conversations: [{ from: "human", value: "u" }, { from: "function_call", value: '{"name":"f"}' }, { from: "observation", value: "o" }, { from: "gpt", value: "a" }] },
    read: 'system: s\n\nYou may call these tools:\n<tools>\n{"name":"f"}\n</tools>\nTo call one, answer with its name and arguments as JSON inside <tool_call></tool_call>. | user: u | assistant*: <tool_call>\n{"name":"f"}\n</tool_call> | tool: o | assistant*: a',
  },
  {
    name: "messages",
    record: { messages: [{ role: "system", content: "s" }, { role: "user", content: [{ type: "text", text: "1+1" }] }, { role: "assistant", content: "3", weight: 0 }, { role: "user", content: "no" }, { role: "assistant", content: "2" }] },
    read: "system: s | user: 1+1 | assistant: 3 | user: no | assistant*: 2",
  },
  {
    name: "messages",
    record: { messages: [{ role: "user", content: "u" }, { role: "assistant", content: null, tool_calls: [{ id: "1", type: "function", function: { name: "f", arguments: '{"x":1}' } }] }, { role: "tool", content: "o", tool_call_id: "1" }] },
    read: 'user: u | assistant*: <tool_call>\n{"name":"f","arguments":{"x":1}}\n</tool_call> | tool: o',
  },
];

describe("formats", () => {
  test.each(formats)("$name is told by its columns: $read", async ({ name, record, read }) => {
    const source = await readAll(tempFile("rows.jsonl", `${JSON.stringify(record)}\n`));
    expect(source.format).toMatchObject({ name, isSure: true });
    expect(source.read).toEqual([read]);
    expect(source.warnings).toEqual([]);
  });

  test("columns that only sound right are a guess, and the user is told", async () => {
    const path = tempFile("rows.jsonl", '{"Problem":"1+1","Solution":"2"}\n');
    const source = await readAll(path);
    expect(source.format).toMatchObject({ isSure: false, mapping: { kind: "pair", prompt: "Problem", completion: "Solution" } });
    expect(source.warnings[0]!.what).toContain('"Problem" was taken as prompt');
    expect(source.read).toEqual([pair]);
  });

  test("unknown columns are refused by name, and read once they are mapped by hand", async () => {
    const path = tempFile("rows.jsonl", '{"foo":"1+1","bar":"2"}\n');
    await expect(openRows(path)).rejects.toThrow(/its columns are "foo", "bar"/);
    const mapped = await readAll(path, { mapping: { kind: "pair", prompt: "foo", completion: "bar" } });
    expect(mapped.read).toEqual([pair]);
    await expect(openRows(path, { mapping: { kind: "text", text: "baz" } })).rejects.toThrow(/no column "baz" \(chosen as text\); it has "foo", "bar"/);
  });

  test("a look at a file gives its columns with samples, whether or not a format fits", async () => {
    const known = await inspectRows(tempFile("rows.jsonl", '{"query":"","response":"2"}\n{"query":"1+1","response":"2"}\n'));
    expect(known).toMatchObject({ split: null, splits: [], problem: null, format: { name: "query/response", isSure: true }, columns: [{ name: "query", sample: "1+1" }, { name: "response", sample: "2" }] });
    const path = tempFile("rows.jsonl", '{"foo":"1+1","bar":{"a":1}}\n');
    const unknown = await inspectRows(path);
    expect(unknown).toMatchObject({ format: null, columns: [{ name: "foo", sample: "1+1" }, { name: "bar", sample: '{"a":1}' }] });
    expect(unknown.problem?.what).toContain('its columns are "foo", "bar"');
    expect(await inspectRows(path, { mapping: { kind: "pair", prompt: "foo", completion: "bar" } })).toMatchObject({ format: { name: "by hand", isSure: true } });
    expect((await inspectRows(path, { mapping: { kind: "text", text: "baz" } })).problem?.what).toContain('no column "baz"');
  });

  test("rows that go with a training set take its columns where they have them", async () => {
    const mapping = { kind: "pair", prompt: "foo", completion: "bar" } as const;
    const like = await openLikeRows(tempFile("test.jsonl", '{"foo":"1+1","bar":"2"}\n'), mapping, null);
    expect(like.format.name).toBe("by hand");
    const other = await openLikeRows(tempFile("test.jsonl", '{"query":"1+1","response":"2"}\n'), mapping, null);
    expect(other.format).toMatchObject({ name: "query/response", isSure: true });
    await Promise.all([like.close(), other.close()]);
  });

  test("a look at a dataset folder names its splits", async () => {
    const folder = tempFolder({ "data/train-0.jsonl": '{"text":"a"}', "data/test-0.jsonl": '{"text":"b"}' });
    expect(await inspectRows(folder, { split: "test" })).toMatchObject({ split: "test", splits: ["test", "train"], columns: [{ sample: "b" }] });
  });

  test.each([
    ['{"prompt":"a"}', '"completion" is missing'],
    ['{"prompt":"a","completion":null}', '"completion" must be text, not null'],
    ['{"prompt":"a","completion":["b"]}', '"completion" must be text, not a list'],
  ])("a row that lacks what its format needs is named: %s", async (line, problem) => {
    const source = await openRows(tempFile("rows.jsonl", `{"prompt":"1+1","completion":"2"}\n\n${line}\n`));
    await expect(source.row(1)).rejects.toThrow(`${problem}. (rows.jsonl, line 3)`);
    await source.close();
  });

  test("an unknown role is named", async () => {
    const source = await openRows(tempFile("rows.jsonl", '{"messages":[{"role":"__proto__","content":"x"}]}'));
    await expect(source.row(0)).rejects.toThrow('"messages[0].role" is "__proto__", which is no known role');
    await source.close();
  });
});

const rows = Array.from({ length: 5 }, (_, i) => ({ prompt: `${i} ü, "x"\nnew line`, completion: `c${i}` }));
const wanted = rows.map((row) => `user: ${row.prompt} | assistant*: ${row.completion}`);
const jsonl = rows.map((row) => JSON.stringify(row)).join("\n");
const csv = ["prompt,completion", ...rows.map((row) => `"${row.prompt.replaceAll('"', '""')}",${row.completion}`)].join("\r\n");
const parquet = (codec: "SNAPPY" | "UNCOMPRESSED" = "SNAPPY", some = rows) =>
  new Uint8Array(parquetWriteBuffer({ columnData: [{ name: "prompt", data: some.map((row) => row.prompt), type: "STRING" }, { name: "completion", data: some.map((row) => row.completion), type: "STRING" }], codec, rowGroupSize: 2 }));

describe("files", () => {
  test.each<[string, string, string | Uint8Array]>([
    ["JSONL", "a.jsonl", jsonl],
    ["JSONL with a byte order mark, blank lines and CRLF", "a.jsonl", `\ufeff\r\n${jsonl.replaceAll("}\n", "}\r\n\r\n")}\r\n \r\n`],
    ["a JSON list", "a.json", JSON.stringify(rows)],
    ["a JSON list over many lines", "a.json", ` \n${JSON.stringify(rows, null, 2)}\n`],
    ["JSONL that is named .json", "a.json", jsonl],
    ["a file without a telling name", "a.txt", jsonl],
    ["CSV with quotes and line breaks in cells", "a.csv", csv],
    ["CSV parted by semicolons", "a.csv", csv.replaceAll('",', '";').replace("prompt,", "prompt;")],
    ["Parquet", "a.parquet", parquet()],
    ["Parquet without compression", "a.parquet", parquet("UNCOMPRESSED")],
  ])("%s", async (_, name, content) => {
    const source = await readAll(tempFile(name, content));
    expect(source.count).toBe(5);
    expect(source.read).toEqual(wanted);
  });

  test("rows are read in any order, and a stream may begin anywhere", async () => {
    for (const path of [tempFile("a.jsonl", jsonl), tempFile("a.json", JSON.stringify(rows)), tempFile("a.csv", csv), tempFile("a.parquet", parquet())]) {
      const source = await openRows(path);
      for (const i of [4, 0, 3, 3, 1]) expect(brief(await source.row(i))).toBe(wanted[i]);
      const rest: string[] = [];
      for await (const { index, row } of source.rows(3)) rest.push(`${index} ${brief(row)}`);
      expect(rest).toEqual([`3 ${wanted[3]}`, `4 ${wanted[4]}`]);
      await expect(source.row(5)).rejects.toThrow(RangeError);
      await expect(source.row(-1)).rejects.toThrow(RangeError);
      await source.close();
    }
  });

  test("past 2^18 rows the index thins out and still finds every row", async () => {
    const many = 600_000; // the marks are halved twice
    const source = await openRows(tempFile("a.jsonl", Array.from({ length: many }, (_, i) => `{"text":"${i}"}\n`).join("")));
    expect(source.count).toBe(many);
    for (const i of [0, 1, 3, 4, 262_143, 262_144, 524_287, 524_289, many - 1]) expect(brief(await source.row(i))).toBe(`text*: ${i}`);
    await source.close();
  });

  test("a dataset folder gives its splits by file name, shards in order", async () => {
    const folder = tempFolder({
      "README.md": "---\n---",
      "dataset_info.json": "{}",
      "data/train-00000-of-00002.parquet": parquet("SNAPPY", rows.slice(0, 3)),
      "data/train-00001-of-00002.parquet": parquet("SNAPPY", rows.slice(3)),
      "data/test-00000-of-00001.parquet": parquet("SNAPPY", rows.slice(1, 2)),
    });
    const train = await readAll(folder);
    expect([train.split, train.read]).toEqual(["train", wanted]);
    const source = await openRows(folder);
    expect(brief(await source.row(4))).toBe(wanted[4]);
    await source.close();
    expect((await readAll(folder, { split: "test" })).read).toEqual([wanted[1]]);
    await expect(openRows(folder, { split: "validation" })).rejects.toThrow(/no validation split: it has test and train|no validation split: it has train and test/);
  });

  test("a folder of plain files: unnamed data is the training split; two configurations are refused", async () => {
    expect((await readAll(tempFolder({ "gsm.jsonl": jsonl, "valid.jsonl": jsonl }))).read).toEqual(wanted);
    await expect(openRows(tempFolder({ "main/train.jsonl": jsonl, "socratic/train.jsonl": jsonl }))).rejects.toThrow(/2 data sets side by side \(main, socratic\)/);
    await expect(openRows(tempFolder({ "README.md": "" }))).rejects.toThrow(/no \.parquet, \.jsonl/);
  });

  test.each<[string, string, string | Uint8Array, RegExp]>([
    ["a broken line", "a.jsonl", `${jsonl}\n{"prompt": "cut`, /not valid JSON.*"\{"prompt": "cut".*line 6/s],
    ["a line that is no object", "a.jsonl", `${jsonl}\n[1]`, /must be a JSON object with named fields, not "\[1\]".*line 6/s],
    ["bytes that are not UTF-8", "a.jsonl", Buffer.concat([Buffer.from(`${jsonl}\n{"prompt":"`), Buffer.from([0xff]), Buffer.from('"}')]), /not UTF-8: "\{"prompt".*line 6/s],
    ["a CSV line with too many cells", "a.csv", `${csv}\na,b,c\n`, /3 cells where the first line names 2 columns: "a,b,c".*line 12/s],
    ["an open quote in CSV", "a.csv", `${csv}\na,"b\n`, /not (valid|one) CSV.*line 12/s],
    ["a broken item in a JSON list", "a.json", `[${rows.map((row) => JSON.stringify(row)).join(",\n")},\n{"prompt" 1}]`, /not valid JSON.*"\{"prompt" 1\}".*line 6/s],
  ])("%s is named by number and quoted", async (_, name, content, message) => {
    await expect(readAll(tempFile(name, content))).rejects.toThrow(message);
  });

  test.each<[string, string, string | Uint8Array, RegExp]>([
    ["an empty file", "a.jsonl", "", /no rows/],
    ["a CSV with only a heading", "a.csv", "prompt,completion\n", /no rows/],
    ["UTF-16", "a.jsonl", Buffer.from("\ufeff{}", "utf16le"), /UTF-16/],
    ["a packed file", "a.jsonl.gz", Buffer.from([0x1f, 0x8b, 8, 0]), /packed/],
    ["an unknown kind", "a.bin", "hello", /kind is unknown/],
    ["a cut Parquet file", "a.parquet", parquet().subarray(0, 200), /Parquet file cannot be read at its footer/],
    ["two CSV columns of one name", "a.csv", "a,a\n1,2", /two columns of one name/],
    ["a JSON text", "a.json", '"hello"', /holds one list, but this one begins/],
  ])("%s is refused", async (_, name, content, message) => {
    await expect(openRows(tempFile(name, content))).rejects.toThrow(message);
  });

  test.each(["jsonl", "json", "csv"])("the beginning of a big %s file is opened without reading the rest", async (kind) => {
    const many = Array.from({ length: 5000 }, (_, i) => rows[i % 5]!);
    const whole = { jsonl: many.map((row) => JSON.stringify(row)).join("\n"), json: JSON.stringify(many), csv: ["prompt,completion", ...many.map(() => "a,b")].join("\n") }[kind]!;
    const path = tempFile(`a.${kind}`, whole);
    let bytes = 0;
    const head = await openRows(path, { most: 60, onBytes: (read) => (bytes += read) });
    expect([head.count, head.isCut]).toEqual([60, true]);
    expect(bytes).toBeLessThan(Math.max(20_000, whole.length / 2));
    await head.close();
    const all = await openRows(path, { most: 5000 });
    expect([all.count, all.isCut]).toEqual([5000, false]);
    await all.close();
  });

  test("indexing tells the bytes it has read, and stops when asked", async () => {
    const path = tempFile("a.jsonl", jsonl);
    let bytes = 0;
    await (await openRows(path, { onBytes: (read) => (bytes += read) })).close();
    expect(bytes).toBe(Buffer.byteLength(jsonl));
    await expect(openRows(path, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
  });

  test("the beginning of a folder opens no more files than it takes", async () => {
    const folder = tempFolder({ "train-0.jsonl": jsonl, "train-1.jsonl": jsonl, "train-2.jsonl": "not rows at all" });
    const head = await openRows(folder, { most: 7 });
    expect([head.count, head.isCut]).toEqual([10, true]);
    await head.close();
  });

  test("a missing file is refused", async () => {
    await expect(openRows("/nowhere/rows.jsonl")).rejects.toThrow(/not there/);
  });
});
