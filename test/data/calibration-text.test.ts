import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { openTokenizer } from "../../native-models/checkpoint/tokenizer.ts";
import { calibrationWindows } from "../../native-models/data/calibration-text.ts";
import { writeTinyTokenizer } from "../support/tiny-model.ts";
import { tempFolder } from "./temp-files.ts";

const folder = tempFolder({});
writeTinyTokenizer(folder);
const tokenizer = openTokenizer(folder);
const questions = Array.from({ length: 120 }, (_, i) => ({ question: `what is the number ${i} called` }));
const text = questions.map((question) => question.question).join("\n\n");

describe("calibration windows", () => {
  test("without a seed they follow one another from the beginning", () => {
    const { ids, warnings } = calibrationWindows(questions, tokenizer, { samples: 4, length: 32, seed: null });
    expect([...ids]).toEqual(tokenizer.encode(text).slice(0, 128));
    expect(warnings).toEqual([]);
  });

  test("with a seed each is a piece of the text from a random place; the same seed takes the same", () => {
    const take = (seed: number) => calibrationWindows(questions, tokenizer, { samples: 6, length: 16, seed });
    const { ids } = take(0);
    const windows = Array.from({ length: 6 }, (_, i) => tokenizer.decode([...ids.subarray(i * 16, i * 16 + 16)]));
    for (const window of windows) expect(text).toContain(window);
    expect(new Set(windows).size).toBe(6);
    expect(take(0).ids).toEqual(ids);
    expect(take(1).ids).not.toEqual(ids);
  });

  test("too short a text is used again in shuffled order, and the warning has the numbers", () => {
    const few = questions.slice(0, 3);
    const once = tokenizer.encode(few.map((question) => question.question).join("\n\n")).length;
    for (const seed of [null, 5]) {
      const { ids, warnings, textTokens } = calibrationWindows(few, tokenizer, { samples: 10, length: 64, seed });
      expect(ids).toHaveLength(640);
      expect(textTokens).toBe(once);
      expect(warnings[0]!.what).toContain(`hold ${once} tokens, but 10 × 64 = 640 were asked for`);
    }
  });

  test("any text fills any window with ids of the vocabulary", () => {
    const anyText = fc.array(fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(anyText, fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 40 }), fc.option(fc.nat()), (texts, samples, length, seed) => {
        const { ids } = calibrationWindows(texts.map((question) => ({ question })), tokenizer, { samples, length, seed });
        expect(ids).toHaveLength(samples * length);
        expect(ids.every((id) => id >= 0 && id < tokenizer.vocabulary)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test("no text and sizes out of bounds are refused", () => {
    expect(() => calibrationWindows([{ question: "" }], tokenizer, { samples: 1, length: 1, seed: 0 })).toThrow(/no text/);
    expect(() => calibrationWindows(questions, tokenizer, { samples: 2 ** 20, length: 2 ** 20, seed: 0 })).toThrow(/cannot be taken/);
    expect(() => calibrationWindows(questions, tokenizer, { samples: 0, length: 8, seed: 0 })).toThrow(/cannot be taken/);
  });
});
