// What a probe asks: which questions are examples, and which are asked.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { probeItems } from "../../main/engine/jobs/probe-items.ts";
import type { ProbeJob } from "../../main/engine/answer-jobs.ts";
import { openTokenizer } from "../../native-models/checkpoint/tokenizer.ts";
import type { Tokenizer } from "../../native-models/checkpoint/types.ts";
import { UserError } from "../../native-models/errors.ts";
import { writeTinyModel } from "../support/tiny-model.ts";

let folder: string;
let tokenizer: Tokenizer;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "nullspace-probe-"));
  writeTinyModel(join(folder, "model"));
  tokenizer = openTokenizer(join(folder, "model"));
  for (const name of ["asked", "shown"]) {
    const rows = Array.from({ length: 4 }, (_, i) => JSON.stringify({ question: `${name} ${i}`, answer: [`${name} answer ${i}`] }));
    writeFileSync(join(folder, `${name}.jsonl`), rows.join("\n"));
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function itemsOf(more: Partial<ProbeJob>) {
  const job: ProbeJob = {
    kind: "probe", model: join(folder, "model"), adapter: null, questions: join(folder, "asked.jsonl"), shots: 2, limit: null,
    batch: 8, maxNewTokens: 8, style: "knowledge", template: "chat", ...more,
  };
  return probeItems(job, tokenizer, 4096);
}

test("without another file the first questions are the examples and are not asked", async () => {
  const items = await itemsOf({});
  expect(items.map(({ index, question }) => [index, question])).toEqual([[2, "asked 2"], [3, "asked 3"]]);
  expect(items[0].prompt).toBe("Answer these questions:\n\nQ: asked 0?\nA: asked answer 0\nQ: asked 1?\nA: asked answer 1\nQ: asked 2?\nA:");
});

test("examples from another file leave every question to be asked", async () => {
  const items = await itemsOf({ shotsFrom: join(folder, "shown.jsonl"), limit: 3 });
  expect(items.map(({ index, question }) => [index, question])).toEqual([[0, "asked 0"], [1, "asked 1"], [2, "asked 2"]]);
  expect(items[2].prompt).toBe("Answer these questions:\n\nQ: shown 0?\nA: shown answer 0\nQ: shown 1?\nA: shown answer 1\nQ: asked 2?\nA:");
});

test("too few examples are refused with the file they were looked for in", async () => {
  const error: unknown = await itemsOf({ shots: 9, shotsFrom: join(folder, "shown.jsonl") }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(UserError);
  expect((error as UserError).parts).toMatchObject({ what: "The file has 4 questions; 9 examples were asked for.", where: join(folder, "shown.jsonl") });
});
