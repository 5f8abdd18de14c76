// Questions and examples out of the files and folders that people have.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openRecords } from "../../native-models/data/records/open.ts";
import { readTask, type TaskData } from "../../native-models/probe/read-task.ts";
import type { ProbeTask } from "../../native-models/probe/task.ts";
import { probeTasks } from "../../native-models/probe/tasks.ts";
import { questionsTask } from "../../native-models/probe/tasks/questions.ts";
import { withoutExtensions } from "../../native-models/probe/tasks/webqs.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "nullspace-tasks-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, rows: readonly object[] | string): string {
  const path = join(folder, name);
  mkdirSync(join(path, ".."), { recursive: true });
  const text = typeof rows === "string" ? rows : rows.map((row) => JSON.stringify(row)).join("\n");
  writeFileSync(path, name.endsWith(".gz") ? gzipSync(text) : text);
  return path;
}

const read = (task: ProbeTask, questions: string, more: Partial<TaskData> = {}) =>
  readTask(task, { questions, split: null, shots: 0, shotsFrom: null, choice: { by: "first" }, limit: null, ...more });

const numbered = (count: number, name = "q") => Array.from({ length: count }, (_, i) => ({ question: `${name}${i}`, answer: [`${name}a${i}`] }));

describe("columns as the data sets have them", () => {
  test.each<[string, ProbeTask, object[] | string, string[]]>([
    ["TriviaQA, nested", probeTasks.triviaqa, [{ question: "x?", answer: { value: "York", aliases: ["City of York", "York"], normalized_aliases: ["york"] } }], ["City of York", "York"]],
    ["TriviaQA, flattened", probeTasks.triviaqa, [{ question: "x?", "answer.aliases": ["City of York", "York"], "answer.value": "York" }], ["City of York", "York"]],
    ["NQ-open", probeTasks.nq_open, [{ question: "x", answer: ["a | b", "c"] }], ["a | b", "c"]],
    ["one text that holds a bar", probeTasks.nq_open, [{ question: "x", answer: "a | b" }], ["a | b"]],
    ["WebQuestions", probeTasks.webqs, [{ url: "u", question: "x?", answers: ["Jamaican English", "Jamaican Creole English Language"] }], ["Jamaican Creole English Language", "Jamaican English"]],
    ["CSV with bars", probeTasks.nq_open, 'question,answer\nx,Paris | City of Paris\n', ["Paris", "City of Paris"]],
    ["CSV with a JSON list", probeTasks.nq_open, 'question,answer\nx,"[""Paris"", ""1,5""]"\n', ["Paris", "1,5"]],
    ["CSV with a Python list", probeTasks.webqs, `question,answers\nx,"['St. John\\'s', ""O'Neill""]"\n`, ["O'Neill", "St. John's"]],
    ["CSV with a JSON object", probeTasks.triviaqa, 'question,answer\nx,"{""value"": ""York"", ""aliases"": [""York""]}"\n', ["York"]],
    ["CSV with what pandas prints of a dict", probeTasks.triviaqa, `question,answer\nx,"{'value': 'York', 'aliases': array(['City of York', ""O'York""],\n dtype=object), 'n': None}"\n`, ["City of York", "O'York"]],
    ["CSV with what numpy prints of texts", probeTasks.webqs, "question,answers\nx,['Boats' 'A mill']\n", ["A mill", "Boats"]],
    ["a text that only looks like a list", probeTasks.nq_open, [{ question: "x", answer: "[citation needed]" }], ["[citation needed]"]],
    ["MATH-500", probeTasks.math, [{ problem: "p", solution: "so $\\boxed{\\frac{1}{2}}$", answer: "\\frac{1}{2}" }], ["\\frac{1}{2}"]],
  ])("%s", async (name, task, rows, accepted) => {
    const { asked } = await read(task, write(`${name}.${typeof rows === "string" ? "csv" : "jsonl"}`, rows));
    expect(asked.map(({ question }) => question.accepted)).toEqual([accepted]);
  });

  test("TriviaQA's log-likelihood is of the value, its example of the first alias", async () => {
    const { asked } = await read(probeTasks.triviaqa, write("trivia.jsonl", [{ question: "x?", answer: { value: "York", aliases: ["City of York", "York"] } }]));
    expect(asked[0]!.question).toMatchObject({ target: " York", example: " City of York", prompt: "Question: x??\nAnswer:" });
  });

  test("a row that does not fit is named with its place and what the task reads", async () => {
    const file = write("wrong.jsonl", [{ question: "x", answers: ["y"] }, { question: "x" }]);
    await expect(read(probeTasks.webqs, file)).rejects.toMatchObject({ where: "wrong.jsonl, line 2", fix: expect.stringContaining('"answers": ["Paris"]') });
  });

  test("HumanEval is read packed as it is handed out", async () => {
    const row = { task_id: "HumanEval/0", prompt: "def one():\n", canonical_solution: "    return 1\n", test: "def check(f):\n    assert f() == 1\n", entry_point: "one" };
    const { asked } = await read(probeTasks.humaneval, write("HumanEval.jsonl.gz", [row]));
    const { judge, target } = asked[0]!.question;
    expect(target).toBe("    return 1\n");
    expect(judge.kind === "program" && judge.program("    return 2\n", "plain")).toBe("def one():\n    return 2\n\ndef check(f):\n    assert f() == 1\n\ncheck(one)");
    expect(judge.kind === "program" && judge.program("Sure!\n```python\ndef one():\n    return 3\n```\nDone.", "template")).toContain("def one():\n    return 3\n\n");
  });
});

describe("worked examples", () => {
  test("the first rows are shown and then not asked", async () => {
    const { examples, asked } = await read(probeTasks.nq_open, write("first.jsonl", numbered(5)), { shots: 2 });
    expect(examples.map(({ question }) => question)).toEqual(["q0", "q1"]);
    expect(asked.map(({ index }) => index)).toEqual([2, 3, 4]);
  });

  test("rows that are named, in their order", async () => {
    const { examples, asked } = await read(probeTasks.nq_open, write("named.jsonl", numbered(5)), { shots: 2, choice: { by: "rows", rows: [4, 1] }, limit: 2 });
    expect(examples.map(({ question }) => question)).toEqual(["q4", "q1"]);
    expect(asked.map(({ index }) => index)).toEqual([0, 2]);
  });

  test("rows by a seed: the same again, others with another", async () => {
    const file = write("seeded.jsonl", numbered(100));
    const of = async (seed: number) => (await read(probeTasks.nq_open, file, { shots: 5, choice: { by: "seed", seed } })).examples.map(({ question }) => question);
    expect(await of(0)).toEqual(await of(0));
    expect(await of(0)).not.toEqual(await of(1));
    expect(new Set(await of(0)).size).toBe(5);
  });

  test("a data set folder is asked in the task's split and shown from its own", async () => {
    write("nq/train-00000-of-00001.jsonl", numbered(3, "t"));
    write("nq/validation-00000-of-00001.jsonl", numbered(2, "v"));
    const { examples, asked } = await read(probeTasks.nq_open, join(folder, "nq"), { shots: 2 });
    expect(examples.map(({ question }) => question)).toEqual(["t0", "t1"]);
    expect(asked.map(({ question }) => question.question)).toEqual(["v0", "v1"]);
    const other = await read(probeTasks.nq_open, join(folder, "nq"), { split: "train", shots: 1 });
    expect(other.asked.map(({ question }) => question.question)).toEqual(["t1", "t2"]);
  });

  test("too few rows, or one that is not there, are refused with the numbers", async () => {
    const file = write("few.jsonl", numbered(2));
    await expect(read(probeTasks.nq_open, file, { shots: 3 })).rejects.toThrow("The file has 2 questions; 3 examples were asked for.");
    await expect(read(probeTasks.nq_open, file, { shots: 1, choice: { by: "rows", rows: [7] } })).rejects.toThrow("Row 8 was named as an example; the file has 2 rows.");
  });
});

test("own questions are put in the prompt of one's choice", async () => {
  const task = questionsTask({ description: "Answer.\n", ask: "<{question}> =", delimiter: "\n--\n" });
  const { asked, examples } = await read(task, write("own.jsonl", numbered(2)), { shots: 1 });
  expect(asked[0]!.question.prompt).toBe("<q1> =");
  expect(examples[0]!.prompt + examples[0]!.example).toBe("<q0> = qa0");
});

test("an accepted answer that begins with the one before it is left out, in Python's order of texts", () => {
  expect(withoutExtensions(["New York City", "New York", "Boston", "new york", "\u{1F600}", "\uFF5E"])).toEqual(["Boston", "New York", "new york", "\uFF5E", "\u{1F600}"]);
});

/** Two rows, the lists of "test_list" empty: written by pyarrow 26 with snappy, no statistics. */
const emptyLists = "UEFSMRUEFRQVGEwVBBUAEgAACiQBAAAAYQEAAABiFQAVEhUWLBUEFRAVBhUGHAAAAAkgAgAAAAQBAQMCFQQVABUCTBUAFQASAAAAFQAVGhUeLBUEFRAVBhUGHAAAAA0wAgAAAAQAAgAAAAQBABUEGVw1ABgGc2NoZW1hFQQAFQwlAhgEdGV4dCUATBwAAAA1AhgJdGVzdF9saXN0FQIVBkw8AAAANQQYBGxpc3QVAgAVDCUCGAdlbGVtZW50JQBMHAAAABYEGRwZLCYAHBUMGTUABhAZGAR0ZXh0FQIWBBZoFnAmPCYIKSwVBBUAFQIAFQAVEBUCADwWBBkGGSYABAAAACYAHBUMGTUABhAZOAl0ZXN0X2xpc3QEbGlzdAdlbGVtZW50FQIWBBZcFmImlgEmeCksFQQVABUCABUAFRAVAgA8FgAZJgQAGUYABAAAAAAAFsQBFgQmCBbSAQAoIHBhcnF1ZXQtY3BwLWFycm93IHZlcnNpb24gMjYuMC4xGSwcAAAcAAAAHAEAAFBBUjE=";

test("a Parquet column whose lists are all empty is read as such, not taken for damage", async () => {
  const path = join(folder, "empty.parquet");
  writeFileSync(path, Buffer.from(emptyLists, "base64"));
  const records = await openRecords(path);
  expect([(await records.record(0)).value, (await records.record(1)).value]).toEqual([{ text: "a", test_list: [] }, { text: "b", test_list: [] }]);
  await records.close();
});
