// Writes samples/word-problems.{train,test}.jsonl: arithmetic word problems with worked answers, from one seed.
// Run it again and the bytes are the same (test/samples holds that). No sum of the test half is in the training half.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { seededRandom, type Random } from "../native-models/data/random.ts";

const seed = 20240;
const trainRows = 720;
const testRows = 100;

export interface WordProblem {
  instruction: string;
  input: string;
  output: string;
}

interface Story {
  /** Draws the numbers of one problem: small, and the answer never below zero. */
  numbers(random: Random): number[];
  ask(numbers: readonly number[], who: string, thing: string): string;
  /** Worked steps: what is found, and the sum that finds it. The last step's result is the answer. */
  steps(numbers: readonly number[], who: string, thing: string): string[];
  answer(numbers: readonly number[]): number;
}

const names = ["Anna", "Ben", "Clara", "David", "Emma", "Frank", "Grace", "Henry", "Ivy", "Jack", "Kate", "Leo", "Mary", "Nick", "Olivia", "Paul", "Ruth", "Sam", "Tina", "Will"];
const things = ["apples", "books", "cards", "coins", "cookies", "eggs", "flowers", "marbles", "pencils", "shells", "stamps", "stickers"];

const between = (random: Random, least: number, most: number) => least + random.below(most - least + 1);

const stories: Story[] = [
  {
    numbers: (r) => [between(r, 3, 20), between(r, 2, 20)],
    ask: ([a, b], who, thing) => `${who} has ${a} ${thing} and gets ${b} more. How many ${thing} does ${who} have now?`,
    steps: ([a, b], who, thing) => [`${who} has ${a} + ${b} = ${a! + b!} ${thing}.`],
    answer: ([a, b]) => a! + b!,
  },
  {
    numbers: (r) => {
      const a = between(r, 6, 30);
      return [a, between(r, 2, Math.min(a - 1, 15))];
    },
    ask: ([a, b], who, thing) => `${who} has ${a} ${thing} and gives away ${b} of them. How many ${thing} are left?`,
    steps: ([a, b], _who, thing) => [`There are ${a} - ${b} = ${a! - b!} ${thing} left.`],
    answer: ([a, b]) => a! - b!,
  },
  {
    numbers: (r) => [between(r, 2, 10), between(r, 2, 10)],
    ask: ([a, b], who, thing) => `${who} has ${a} bags with ${b} ${thing} in each bag. How many ${thing} does ${who} have?`,
    steps: ([a, b], who, thing) => [`${who} has ${a} * ${b} = ${a! * b!} ${thing}.`],
    answer: ([a, b]) => a! * b!,
  },
  {
    numbers: (r) => [between(r, 2, 10), between(r, 2, 10), between(r, 1, 10)],
    ask: ([a, b, c], who, thing) => `${who} buys ${a} boxes with ${b} ${thing} in each box and finds ${c} more. How many ${thing} does ${who} have?`,
    steps: ([a, b, c], who, thing) => [`The boxes hold ${a} * ${b} = ${a! * b!} ${thing}.`, `${who} has ${a! * b!} + ${c} = ${a! * b! + c!} ${thing}.`],
    answer: ([a, b, c]) => a! * b! + c!,
  },
  {
    numbers: (r) => [between(r, 5, 20), between(r, 2, 10), between(r, 1, 6)],
    ask: ([a, b, c], who, thing) => `${who} had ${a} ${thing}, bought ${b} and then lost ${c}. How many ${thing} does ${who} have now?`,
    steps: ([a, b, c], who, thing) => [`First ${who} had ${a} + ${b} = ${a! + b!} ${thing}.`, `Then ${who} had ${a! + b!} - ${c} = ${a! + b! - c!} ${thing}.`],
    answer: ([a, b, c]) => a! + b! - c!,
  },
  {
    numbers: (r) => {
      const b = between(r, 2, 6);
      return [b * between(r, 2, 10), b];
    },
    ask: ([a, b], who, thing) => `${who} shares ${a} ${thing} equally among ${b} friends. How many ${thing} does each friend get?`,
    steps: ([a, b], _who, thing) => [`Each friend gets ${a} / ${b} = ${a! / b!} ${thing}.`],
    answer: ([a, b]) => a! / b!,
  },
];

/** `count` problems, each with numbers that no other problem of the same story has. */
export function makeProblems(count: number): WordProblem[] {
  const random = seededRandom(seed);
  const used = new Set<string>();
  const problems: WordProblem[] = [];
  while (problems.length < count) {
    const index = random.below(stories.length);
    const story = stories[index]!;
    const numbers = story.numbers(random);
    const key = `${index}:${numbers.join(",")}`;
    if (used.has(key)) continue;
    used.add(key);
    const who = names[random.below(names.length)]!;
    const thing = things[random.below(things.length)]!;
    problems.push({
      instruction: story.ask(numbers, who, thing),
      input: "",
      output: [...story.steps(numbers, who, thing), `#### ${story.answer(numbers)}`].join("\n"),
    });
  }
  return problems;
}

/** File name → bytes, as they are shipped. */
export function makeSamples(): Record<string, string> {
  const problems = makeProblems(trainRows + testRows);
  const lines = (rows: WordProblem[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  return {
    "word-problems.train.jsonl": lines(problems.slice(0, trainRows)),
    "word-problems.test.jsonl": lines(problems.slice(trainRows)),
  };
}

if (import.meta.main) {
  const folder = join(import.meta.dirname, "..", "samples");
  for (const [name, text] of Object.entries(makeSamples())) await writeFile(join(folder, name), text);
}
