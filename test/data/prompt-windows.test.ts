import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openTokenizer } from "../../native-models/checkpoint/tokenizer.ts";
import { promptWindows } from "../../native-models/data/prompt-windows.ts";
import { openRows } from "../../native-models/data/rows/open.ts";
import { writeTinyTokenizer } from "../support/tiny-model.ts";
import { tempFolder } from "./temp-files.ts";

const folder = tempFolder({});
writeTinyTokenizer(folder);
const tokenizer = openTokenizer(folder);

async function windows(lines: readonly object[], settings: { samples: number; length: number; seed?: number }) {
  const file = join(folder, "rows.jsonl");
  writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  const rows = await openRows(file);
  const taken = await promptWindows(rows, tokenizer, { template: "alpaca", seed: 0, ...settings });
  await rows.close();
  return { ...taken, text: tokenizer.decode([...taken.ids]) };
}

const pairs = Array.from({ length: 80 }, (_, i) => ({ query: `what is the number ${i} called`, response: `stone ${i}` }));

test("the prompts are read, as training writes them, and never the answers", async () => {
  const { text, ids, warnings } = await windows(pairs, { samples: 4, length: 32 });
  expect(ids).toHaveLength(128);
  expect(text).toContain("what is the number");
  expect(text).toMatch(/response/i); // the template's own words
  expect(text).not.toContain("stone");
  expect(warnings).toEqual([]);
});

test("the seed chooses the rows; the same seed takes the same", async () => {
  const take = async (seed: number) => (await windows(pairs, { samples: 8, length: 64, seed })).ids;
  expect(await take(0)).toEqual(await take(0));
  expect(await take(1)).not.toEqual(await take(0));
});

test("too few prompts are used again, with a warning that has the numbers", async () => {
  const { ids, textTokens, warnings } = await windows(pairs.slice(0, 2), { samples: 8, length: 64 });
  expect(ids.slice(textTokens, 2 * textTokens)).toEqual(ids.slice(0, textTokens));
  expect(warnings[0]!.what).toContain(`hold ${textTokens} tokens, but 8 × 64 = 512 were asked for`);
});

test("rows of plain text give their text", async () => {
  const { text } = await windows([{ text: "a river runs by the old stone" }], { samples: 1, length: 4 });
  expect(text.length).toBeGreaterThan(0);
  expect("a river runs by the old stone").toContain(text.trim());
});
