// Is a short answer right? The rules of lm-evaluation-harness for nq_open and triviaqa, and a looser "contains".
// In: generated text and accepted answers. Out: yes or no. An accepted answer with "." or "," can only be met through an
// alias without, because generations are cut there; the harness scores so, and so do we.

import { cutAtStops } from "./task.ts";

export type Normalisation = "nq_open" | "triviaqa";

/** Generation stops after one of these; what follows does not count. */
export const answerStops = ["\n", ".", ","] as const;

/** The answer in a generation: up to the first stop, without blanks around it. */
export function filterGeneration(generated: string, stops: readonly string[] = answerStops): string {
  return cutAtStops(generated, stops).replace(outerBlanks, "");
}

// What Python's strip() takes for blank: JavaScript's trim() leaves \x1c to \x1f and \x85, and takes \ufeff.
const blank = "[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
const outerBlanks = new RegExp(`^${blank}+|${blank}+$`, "g");

export function isExactMatch(filtered: string, accepted: readonly string[], normalisation: Normalisation): boolean {
  const answer = normalise(filtered, normalisation);
  return accepted.some((gold) => normalise(gold, normalisation) === answer);
}

// An article at a word's beginning; Python's \b knows letters of every alphabet, JavaScript's does not.
const articles = /(?<![\p{L}\p{N}_])(?:The |the |An |A |a |an )/gu;
const punctuation = /[!-/:-@[-`{-~]/g;

function normalise(text: string, normalisation: Normalisation): string {
  const bare = normalisation === "nq_open" ? text.replace(articles, "") : text;
  return lowerInPlace(bare).replace(punctuation, "");
}

/** The harness lower-cases in numpy's texts of fixed width: where a letter becomes two (İ), the end falls off. */
function lowerInPlace(text: string): string {
  const lower = text.toLowerCase();
  return lower.length === text.length ? lower : [...lower].slice(0, [...text].length).join("");
}

/** An accepted answer stands in the text, word for word. Looser than the harness: never shown as exact match. */
export function isContained(text: string, accepted: readonly string[]): boolean {
  const words = ` ${toWords(text)} `;
  return accepted.some((gold) => {
    const wanted = toWords(gold);
    return wanted !== "" && words.includes(` ${wanted} `);
  });
}

function toWords(text: string): string {
  return text.toLowerCase().replace(/['’]/g, "").replace(/[^\p{L}\p{N}\p{M}]+/gu, " ").trim();
}
