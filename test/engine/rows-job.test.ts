// A look at training rows, and a training by columns, template and length that were chosen: what is told, what is kept.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { JobEvent } from "../../main/engine/events.ts";
import type { CountRowsJob } from "../../main/engine/train-jobs.ts";
import { runCountRows } from "../../main/engine/jobs/count-rows.ts";
import { probeItems } from "../../main/engine/jobs/probe-items.ts";
import { jobEvent } from "../../main/engine/event-messages.ts";
import { readAdapterNotes } from "../../native-models/adapter/adapter-notes.ts";
import { openTokenizer } from "../../native-models/checkpoint/tokenizer.ts";
import { tinyRun, train, type TinyRun } from "../support/tiny-run.ts";

let folder: string;
let run: TinyRun;
let init: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "nullspace-rows-"));
  run = tinyRun(folder, { addsBos: true });
  init = await run.start("lora");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function rows(name: string, lines: object[]): string {
  const path = join(folder, name);
  writeFileSync(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  return path;
}

async function look(changes: Partial<CountRowsJob>) {
  const events: JobEvent[] = [];
  const job: CountRowsJob = { kind: "count-rows", model: run.model, data: run.data, template: "chat", length: 128, offset: 0, limit: 3, isCountWanted: true, ...changes };
  const { counted } = await runCountRows(job, (event) => events.push(jobEvent.parse(event)), new AbortController().signal);
  const head = events.flatMap((event) => (event.type === "rows-head" ? [event.head] : []));
  return { events, head: head[0]!, counted };
}

describe("a look at rows", () => {
  test("format, columns, template and the first rows come before anything is counted", async () => {
    const { events, head, counted } = await look({});
    expect(events[0]!.type).toBe("rows-head");
    expect(head).toMatchObject({ format: { name: "query/response", isSure: true }, problem: null, template: { name: "chat" } });
    expect(head.rows.map(({ index }) => index)).toEqual([0, 1, 2]);
    expect(counted).toMatchObject({ account: { counts: { total: 24, kept: 24 } }, refusal: null });
    expect([counted!.lengths.length, counted!.trained.length]).toEqual([24, 24]);
  });

  test("unknown columns are shown with samples, and nothing is counted until they are named", async () => {
    const data = rows("odd.jsonl", [{ frage: "what is", antwort: "the answer" }, { frage: "who was", antwort: "a stone" }]);
    const before = await look({ data });
    expect(before.head).toMatchObject({ format: null, rows: [], columns: [{ name: "frage", sample: "what is" }, { name: "antwort", sample: "the answer" }] });
    expect(before.head.problem?.what).toContain('"frage", "antwort"');
    expect(before.counted).toBeNull();
    const after = await look({ data, mapping: { kind: "pair", prompt: "frage", completion: "antwort" } });
    expect(after.head).toMatchObject({ format: { name: "by hand" }, problem: null });
    expect(after.counted?.account.counts.kept).toBe(2);
  });

  test("a column that is not what it was taken for is a problem beside the columns", async () => {
    const data = rows("lists.jsonl", [{ a: "x", b: ["y"] }]);
    const { head, counted } = await look({ data, mapping: { kind: "pair", prompt: "a", completion: "b" } });
    expect(head.problem?.what).toContain('"b" must be text, not a list');
    expect([head.columns.length, counted]).toEqual([2, null]);
  });

  test("rows that would be refused are counted, with the refusal", async () => {
    const { counted } = await look({ length: 30, overLong: "refuse" });
    expect(counted?.account.counts.tooLong).toBeGreaterThan(0);
    expect(counted?.refusal?.what).toContain("longer than 30 tokens");
  });

  test("it stops when asked, in the middle of a file", async () => {
    const data = rows("long.jsonl", Array.from({ length: 5000 }, (_, i) => ({ query: `what is ${i}`, response: "the answer" })));
    const controller = new AbortController();
    const counting = runCountRows({ kind: "count-rows", model: run.model, data, template: "alpaca", length: 128, offset: 0, limit: 3, isCountWanted: true }, (event) => {
      if (event.type === "progress" && event.stage === "Counting rows") controller.abort();
    }, controller.signal);
    await expect(counting).rejects.toMatchObject({ name: "AbortError" });
  });
});

describe("a training", () => {
  test("by columns named by hand, with cut prompts and the Alpaca prompt: all of it is told and kept with the adapter", async () => {
    const long = { frage: "the sky ".repeat(120), antwort: "a stone" };
    const data = rows("hand.jsonl", [...Array.from({ length: 8 }, (_, i) => ({ frage: `what is ${i}`, antwort: "in time" })), long, { frage: "who", antwort: "" }]);
    const mapping = { kind: "pair", prompt: "frage", completion: "antwort" } as const;
    const job = run.job("by-hand", init, { data, mapping, template: "alpaca", overLong: "cut-prompt", length: 250, steps: 2 });
    const { events, result } = await train(job);
    const told = events.flatMap((event) => (event.type === "rows" ? [event.rows] : []));
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({ counts: { total: 10, kept: 9, cut: 1, empty: 1 }, overLong: "cut-prompt", length: 250, format: { name: "by hand", mapping } });
    expect(told[0]!.counts.reasons.map(({ exampleRow }) => exampleRow)).toEqual([8, 9]);
    expect(readAdapterNotes(result!.adapter)).toEqual({ template: "alpaca", templateText: expect.stringContaining("### Instruction:\n{instruction}") });
    const card = readFileSync(join(result!.adapter, "README.md"), "utf8");
    expect(card).toContain("by hand: prompt: frage, completion: antwort");
    expect(card).toContain("### Response: {response}<|im_end|>");
  });

  test("goes on by the chat template that was stored, whatever the model's files say by then", async () => {
    const chatTemplate = "{% for m in messages %}[{{ m.role }}] {{ m.content }}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}[assistant] {% endif %}";
    const job = run.job("stored-template", init, { chatTemplate, steps: 2 });
    const { result } = await train(job);
    expect(readAdapterNotes(result!.adapter)).toEqual({ template: "chat", templateText: chatTemplate });
    await expect(train({ ...job, chatTemplate: null, resume: true })).rejects.toThrow(/templateText/);
  });

  test("other columns are another training", async () => {
    const job = run.job("columns", init, { steps: 4 });
    await train(job, { stopAfter: 2 });
    await expect(train({ ...job, mapping: { kind: "pair", prompt: "response", completion: "query" }, resume: true })).rejects.toThrow(/mapping/);
    await expect(train({ ...job, overLong: "cut-prompt", resume: true })).rejects.toThrow(/overLong/);
  });
});

test("probes put BOS before plain text and Alpaca prompts, and leave it to the chat template", async () => {
  const tokenizer = openTokenizer(run.model);
  const job = { kind: "probe", model: run.model, adapter: null, questions: run.questions, shots: 1, limit: 1, batch: 1, maxNewTokens: 4, template: "alpaca" } as const;
  const [knowledge] = await probeItems({ ...job, style: "knowledge" }, tokenizer, 500);
  const [alpaca] = await probeItems({ ...job, style: "task", questions: run.data }, tokenizer, 500);
  const [chat] = await probeItems({ ...job, style: "task", questions: run.data, template: "chat" }, tokenizer, 500);
  const isAdded = ({ promptIds, prompt }: { promptIds: number[]; prompt: string }): boolean => promptIds.length === tokenizer.encode(prompt).length + 1 && promptIds[0] === tokenizer.bosId;
  expect([knowledge!, alpaca!, chat!].map(isAdded)).toEqual([true, true, false]);
});
