// What is kept, cut and dropped, and that it is said.

import { writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { UserError } from "../../native-models/errors.ts";
import { openTokenizer } from "../../native-models/checkpoint/tokenizer.ts";
import { countTrained, encodeRow } from "../../native-models/data/encode.ts";
import { histogramOf } from "../../native-models/data/histogram.ts";
import { leastPromptTokens } from "../../native-models/data/fit.ts";
import { countRows, planRows, plannedRow, type PlanSettings } from "../../native-models/data/plan.ts";
import { refusalOf } from "../../native-models/data/row-tally.ts";
import { openRows } from "../../native-models/data/rows/open.ts";
import { previewRows } from "../../native-models/data/rows/preview.ts";
import { writeTinyTokenizer } from "../support/tiny-model.ts";
import { tempFile, tempFolder } from "./temp-files.ts";

const folder = tempFolder({});
writeTinyTokenizer(folder);
const tokenizer = openTokenizer(folder);

const write = (rows: { prompt: string; completion: string }[]) => tempFile("rows.jsonl", rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
const short = { prompt: "hi", completion: "yes" };
const longPrompt = { prompt: "x".repeat(60), completion: "yes" };
const longAnswer = { prompt: "hi", completion: "y".repeat(90) };
const noAnswer = { prompt: "hi", completion: "  " };
const settings: PlanSettings = { template: "chat", length: 60 };

async function plan(rows: { prompt: string; completion: string }[], over: Partial<PlanSettings> = {}) {
  const source = await openRows(write(rows));
  try {
    const made = await planRows(source, tokenizer, { ...settings, ...over });
    const encoded = await Promise.all(Array.from(made.rows, (_, i) => plannedRow(source, tokenizer, made, i)));
    return { ...made, encoded };
  } finally {
    await source.close();
  }
}

describe("the plan of a training set", () => {
  test("long rows are dropped by default; every row left out is counted with its reason", async () => {
    const { rows, counts, encoded, tokens, trainedTokens, lengths } = await plan([short, longPrompt, noAnswer, longAnswer, short]);
    expect([...rows]).toEqual([0, 4]);
    expect(counts).toEqual({
      total: 5, kept: 2, cut: 0, tooLong: 2, empty: 1,
      reasons: [
        { reason: "longer than 60 tokens", count: 2, exampleRow: 1 },
        { reason: "nothing to train on: no answer, or an empty one", count: 1, exampleRow: 2 },
      ],
    });
    expect(tokens).toBe(encoded.reduce((sum, row) => sum + row.ids.length, 0));
    expect(trainedTokens).toBe(encoded.reduce((sum, row) => sum + countTrained(row), 0));
    expect([...lengths]).toEqual(encoded.map((row) => row.ids.length));
  });

  test("a cut prompt loses its beginning and keeps its answer; where the answer leaves no room the row is dropped", async () => {
    const { counts, encoded } = await plan([short, longPrompt, longAnswer], { overLong: "cut-prompt" });
    expect(counts).toMatchObject({ kept: 2, cut: 1, tooLong: 1 });
    const whole = encodeRow({ turns: [{ role: "user", content: longPrompt.prompt, isTrained: false }, { role: "assistant", content: "yes", isTrained: true }] }, tokenizer, "chat");
    expect(encoded[1]!.ids).toEqual(whole.ids.slice(whole.ids.length - 60));
    expect(encoded[1]!.isTrained.indexOf(1)).toBeGreaterThanOrEqual(leastPromptTokens);
    expect(countTrained(encoded[1]!)).toBe(countTrained(whole));
  });

  test("refuse says how many rows are too long and how long the longest is", async () => {
    await expect(plan([short, longPrompt, longAnswer], { overLong: "refuse" })).rejects.toThrow(/2 of 3 rows are longer than 60 tokens; the longest has \d+/);
  });

  test("nothing to train on is refused, with what was found", async () => {
    await expect(plan([longPrompt, noAnswer])).rejects.toThrow(/of 2 rows, 1 are longer than 60 tokens and 1 have no answer/);
  });

  test("a file that changed since the plan is refused", async () => {
    const path = write([short, short]);
    const source = await openRows(path);
    const made = await planRows(source, tokenizer, settings);
    await writeFile(path, `${JSON.stringify({ ...short, prompt: "ho" })}\n${JSON.stringify({ ...short, prompt: "long" })}\n`);
    await expect(plannedRow(source, tokenizer, made, 1)).rejects.toThrow(/not what it was|not valid JSON/);
    await source.close();
  });

  test("a row that the template cannot take is named by file and line", async () => {
    const source = await openRows(write([short, { prompt: "bad", completion: "x" }]));
    const picky = {
      ...tokenizer,
      chatTemplate: (...[messages, options]: Parameters<NonNullable<typeof tokenizer.chatTemplate>>) => {
        if (messages[0]!.content === "bad") throw new UserError({ what: "No.", where: "chat template", fix: "Other." });
        return tokenizer.chatTemplate!(messages, options);
      },
    };
    await expect(planRows(source, picky, settings)).rejects.toThrow("No. (rows.jsonl, line 2: chat template)");
    await source.close();
  });

  test("progress ends at the total, and an abort stops it", async () => {
    const source = await openRows(write(Array.from({ length: 200 }, () => short)));
    const seen: number[] = [];
    await planRows(source, tokenizer, settings, { onProgress: (done) => seen.push(done) });
    expect(seen.at(-1)).toBe(200);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    await expect(planRows(source, tokenizer, settings, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
    await source.close();
  });

  test("the preview shows each token with its mark, and what is too long", async () => {
    const source = await openRows(write([short, longPrompt]));
    const [first, second] = await previewRows(source, tokenizer, settings, { offset: 0, limit: 10 });
    await source.close();
    expect(first!.chips.filter((chip) => chip.isTrained).map((chip) => chip.text)).toEqual(["y", "es", "<|im_end|>"]);
    expect(first!.chips.at(-1)).toMatchObject({ isSpecial: true });
    expect([first!.fate, second!.fate]).toEqual(["kept", "too-long"]);
  });

  test("the preview of a row that is cut marks what the model will not see", async () => {
    const source = await openRows(write([longPrompt]));
    const [row] = await previewRows(source, tokenizer, { ...settings, overLong: "cut-prompt" }, { offset: 0, limit: 10 });
    await source.close();
    expect(row).toMatchObject({ fate: "cut", tokens: row!.chips.length });
    expect(row!.chips.filter((chip) => !chip.isCut)).toHaveLength(60);
    expect(row!.chips.findIndex((chip) => !chip.isCut)).toBe(row!.tokens - 60);
  });

  test("a cut prompt keeps the BOS that the model expects at the beginning", async () => {
    const own = tempFolder({});
    writeTinyTokenizer(own, { addsBos: true });
    const source = await openRows(write([{ prompt: "x".repeat(600), completion: "yes" }]));
    const adding = openTokenizer(own);
    const plan = await planRows(source, adding, { template: "alpaca", length: 60, overLong: "cut-prompt" });
    const row = await plannedRow(source, adding, plan, 0);
    await source.close();
    expect([row.ids.length, row.ids[0]]).toEqual([60, adding.bosId]);
  });

  test("rows that would be refused are counted all the same, with the refusal beside the counts", async () => {
    const source = await openRows(write([short, longPrompt]));
    const counted = await countRows(source, tokenizer, { ...settings, overLong: "refuse" });
    await source.close();
    expect(counted.counts).toMatchObject({ total: 2, kept: 1, tooLong: 1 });
    expect(refusalOf(counted, "rows.jsonl")?.what).toContain("1 of 2 rows are longer than 60 tokens");
  });

  test("the counts so far are there on the way", async () => {
    const source = await openRows(write(Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? short : longPrompt))));
    const totals: [number, number, number][] = [];
    await countRows(source, tokenizer, settings, {
      onProgress(_done, _total, account) {
        const { counts, histogram } = account();
        totals.push([counts.total, counts.kept + counts.tooLong, histogram.counts.reduce((sum, count) => sum + count)]);
      },
    });
    await source.close();
    expect(totals.map(([total]) => total)).toEqual([0, 32, 64, 96, 100]);
    for (const [total, parted, drawn] of totals) expect([parted, drawn]).toEqual([total, total]);
  });
});

test("the histogram counts every row once, in at most 40 bins of a round size", () => {
  for (const longest of [0, 1, 39, 40, 41, 97, 1000, 123_456]) {
    const { binTokens, counts, longestTokens } = histogramOf(new Map([[longest, 2], [Math.floor(longest / 2), 3]]));
    expect(longestTokens).toBe(longest);
    expect(counts.length).toBeLessThanOrEqual(40);
    expect(counts[Math.floor(longest / binTokens)]).toBeGreaterThanOrEqual(longest === 0 ? 3 : 2);
  }
});
