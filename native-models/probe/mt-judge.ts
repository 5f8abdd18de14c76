// The judge of an instruction-following probe: what it is asked, and how its rating is read.
// The contract is MT-Bench's single-answer grading (Zheng et al. 2023): a judge sees the conversation so far, writes why,
// and ends with "[[rating]]", 1 to 10. The words are our own.

import type { ChatMessage } from "../checkpoint/types.ts";

export interface JudgedTurn {
  /** The user's turns up to the judged one. */
  turns: readonly string[];
  /** The assistant's answers to them. */
  answers: readonly string[];
  /** Answers known to be right, where the file has them. */
  references: readonly string[];
}

const task =
  "You grade the answer that an AI assistant gave to a user. Judge whether it does what was asked, is correct, useful, deep enough, creative where that is wanted, and as long as it should be. " +
  "Be impartial: neither its length nor its tone is a merit of its own.";
const ending =
  'First say briefly what is good and what is not. Then end with your rating from 1 (useless) to 10 (could not be better), a number in double square brackets and nothing after it, such as: "Rating: [[5]]".';

export function judgeMessages({ turns, answers, references }: JudgedTurn): ChatMessage[] {
  const last = turns.length - 1;
  const parts = [task];
  if (last > 0) parts.push(`The conversation has ${turns.length} turns. Grade only the last answer, in the light of what came before it.`);
  if (references.length > 0) parts.push("Reference answers are given: compare with them, and point out mistakes.");
  parts.push(ending);
  turns.forEach((turn, i) => {
    parts.push(`<user turn ${i + 1}>\n${turn}\n</user turn ${i + 1}>`);
    if (references[i] !== undefined && references[i] !== "") parts.push(`<reference answer ${i + 1}>\n${references[i]}\n</reference answer ${i + 1}>`);
    parts.push(`<assistant answer ${i + 1}>\n${answers[i] ?? ""}\n</assistant answer ${i + 1}>`);
  });
  return [{ role: "user", content: parts.join("\n\n") }];
}

/** The first [[number]], or else [number], as FastChat reads it; null where there is none from 1 to 10. */
export function readRating(verdict: string): number | null {
  const found = /\[\[(\d+\.?\d*)\]\]/.exec(verdict)?.[1] ?? /\[(\d+\.?\d*)\]/.exec(verdict)?.[1];
  const rating = found === undefined ? NaN : Number(found);
  return rating >= 1 && rating <= 10 ? rating : null;
}

/** An answer counts as right from this rating on, for lists of lost and gained answers. */
export const goodRating = 6;
