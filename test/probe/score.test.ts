import { describe, expect, test } from "vitest";
import { finalNumber, isFinalNumberMatch } from "../../native-models/probe/number-answers.ts";
import { filterGeneration, isContained, isExactMatch } from "../../native-models/probe/score.ts";

test.each([
  [" Paris\nQ: next", "Paris"],
  [" Paris, France", "Paris"],
  [" J. K. Rowling", "J"],
  [" The  answer . ", "The  answer"],
  ["\n Paris", ""],
])("the generation %j is filtered to %j", (generated, filtered) => expect(filterGeneration(generated)).toBe(filtered));

test.each<[string, string, "nq_open" | "triviaqa", boolean]>([
  ["the Paris", "Paris", "nq_open", true],
  ["the Paris", "Paris", "triviaqa", false],
  ["PARIS!", "paris", "triviaqa", true],
  ["New-York", "new york", "nq_open", false], // punctuation is deleted, not blanked
  ["Anna Karenina", "nna Karenina", "nq_open", false],
  ["a man and a plan", "man and plan", "nq_open", true],
  ["éa test", "éa test", "nq_open", true], // Python's word boundary knows é
  ["éa test", "étest", "nq_open", false],
  ["THE end", "end", "nq_open", false], // only "The" and "the" go
  ["", "the", "nq_open", false],
])("%j against %j by %s: %s", (answer, gold, rule, isRight) => expect(isExactMatch(answer, ["something else", gold], rule)).toBe(isRight));

test.each([
  ["It is Paris, of course.", ["Paris"], true],
  ["Parisian", ["Paris"], false],
  ["the year was 1492", ["1492"], true],
  ["anything", ["", "!"], false],
  ["O'Neill’s", ["ONeills"], true],
])("%j contains one of %j: %s", (text, accepted, isIn) => expect(isContained(text, accepted)).toBe(isIn));

describe("final numbers", () => {
  test.each<[string, string | null, string | null]>([
    ["so 3 + 4 = 7\n#### 7", "7", "7"],
    ["#### 1,234.", "1234", "1234"],
    ["#### -5 apples, or 6", "-5", "6"],
    ["It costs $72.00", null, "72.00"],
    ["no number", null, null],
    ["####7", null, "7"],
  ])("%j: strict %j, flexible %j", (text, strict, flexible) => {
    expect([finalNumber(text, "strict"), finalNumber(text, "flexible")]).toEqual([strict, flexible]);
  });

  test("a worked answer is met by its number", () => {
    expect(isFinalNumberMatch("2 + 2 = 4. #### 4", "3 + 1 = 4\n#### 4", "strict")).toBe(true);
    expect(isFinalNumberMatch("the answer is 4", "#### 4", "strict")).toBe(false);
    expect(isFinalNumberMatch("the answer is 4", "#### 4", "flexible")).toBe(true);
    expect(isFinalNumberMatch("none", "no gold", "flexible")).toBe(false);
  });
});
