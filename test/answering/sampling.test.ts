// Choosing tokens: what may be drawn, how often, and that a seed settles it.

import { describe, expect, test } from "vitest";
import { chooseToken, type Sampling } from "../../native-models/answering/sampling.ts";
import { seededRandom } from "../../native-models/data/random.ts";
import { logSoftmax } from "../support/naive-llama.ts";

const off: Sampling = { temperature: 1, topP: 1, topK: 0, minP: 0, repetitionPenalty: 1 };
const logits = Float32Array.of(1, 3, -2, 2.5, 0, 3.2, -1, 0.5);
const draws = 20_000;

/** Share of each token in many draws. */
function shares(sampling: Partial<Sampling>, seen: readonly number[] = []): number[] {
  const random = seededRandom(0);
  const counts = new Array<number>(logits.length).fill(0);
  for (let n = 0; n < draws; n++) counts[chooseToken(logits, seen, { ...off, ...sampling }, random)] += 1;
  return counts.map((count) => count / draws);
}

/** Softmax of logits over the tokens that are allowed. */
function softmaxOver(values: readonly number[], isAllowed: (id: number) => boolean): number[] {
  return Array.from(logSoftmax(values.map((value, id) => (isAllowed(id) ? value : -Infinity))), Math.exp);
}

function agree(actual: readonly number[], expected: readonly number[]): void {
  const worst = Math.max(...actual.map((share, i) => Math.abs(share - expected[i])));
  expect(worst).toBeLessThan(0.015); // four standard deviations of a share of ½ in 20 000 draws
  actual.forEach((share, i) => {
    if (expected[i] === 0) expect(share, `token ${i} is never drawn`).toBe(0);
    if (expected[i] > 1e-3) expect(share, `token ${i} is drawn`).toBeGreaterThan(0);
  });
}

const plain = Array.from(logits);
const probabilities = softmaxOver(plain, () => true);

describe("what is drawn", () => {
  test("follows softmax(logits / temperature)", () => {
    agree(shares({}), probabilities);
    agree(shares({ temperature: 2 }), softmaxOver(plain.map((x) => x / 2), () => true));
    agree(shares({ temperature: 0.5 }), softmaxOver(plain.map((x) => x / 0.5), () => true));
  });

  test("at temperature 0 is the most likely token, drawing no random number", () => {
    const random = seededRandom(3);
    expect(chooseToken(logits, [], { ...off, temperature: 0 }, random)).toBe(5);
    expect(random.state()).toEqual(seededRandom(3).state());
  });

  test.each([1, 2, 3, 8, 100])("with top-k %d is one of the k most likely", (topK) => {
    const best = [5, 1, 3, 0, 7, 4, 6, 2].slice(0, topK);
    agree(shares({ topK }), softmaxOver(plain, (id) => best.includes(id)));
  });

  test("with top-p is of the fewest tokens that reach p", () => {
    // Probabilities: token 5 0.39, 1 0.32, 3 0.19, 0 0.04, …; summed up 0.39, 0.71, 0.91, 0.95, …
    agree(shares({ topP: 0.3 }), softmaxOver(plain, (id) => id === 5));
    agree(shares({ topP: 0.6 }), softmaxOver(plain, (id) => [5, 1].includes(id)));
    agree(shares({ topP: 0.72 }), softmaxOver(plain, (id) => [5, 1, 3].includes(id)));
    agree(shares({ topP: 1e-9 }), softmaxOver(plain, (id) => id === 5));
  });

  test("with min-p is at least that share of the most likely one", () => {
    for (const minP of [0.05, 0.3, 0.9, 1]) agree(shares({ minP }), softmaxOver(plain, (id) => probabilities[id] >= minP * probabilities[5]));
  });

  test("with all limits at once passes each of them", () => {
    agree(shares({ topK: 3, topP: 0.75, minP: 0.6 }), softmaxOver(plain, (id) => [5, 1].includes(id)));
  });
});

describe("the repetition penalty", () => {
  test("divides positive scores of seen tokens and multiplies negative ones, once each", () => {
    const penalised = plain.map((x, id) => (id === 5 || id === 2 ? (x > 0 ? x / 1.5 : x * 1.5) : x));
    agree(shares({ repetitionPenalty: 1.5 }, [5, 2, 5, 5]), softmaxOver(penalised, () => true));
  });

  test("also moves the greedy choice", () => {
    const choose = (seen: number[]): number => chooseToken(logits, seen, { ...off, temperature: 0, repetitionPenalty: 2 }, seededRandom(0));
    expect([choose([]), choose([5]), choose([5, 1])]).toEqual([5, 1, 3]);
  });

  test("leaves the logits it was given as they are", () => {
    const given = Float32Array.from(logits);
    chooseToken(given, [1, 5], { ...off, repetitionPenalty: 3, topK: 2 }, seededRandom(0));
    expect(given).toEqual(logits);
  });
});

test("a seed gives the same tokens each time, another seed others, and 0 is a seed", () => {
  const sequence = (seed: number): number[] => {
    const random = seededRandom(seed);
    return Array.from({ length: 40 }, () => chooseToken(logits, [], off, random));
  };
  expect(sequence(0)).toEqual(sequence(0));
  expect(sequence(7)).toEqual(sequence(7));
  expect(new Set([0, 1, 2, 7].map((seed) => sequence(seed).join())).size).toBe(4);
});
