// Calibration windows: the questions joined by blank lines, tokenised, and cut into samples of equal length.
// In: questions, tokenizer, how many samples of how many tokens. Out: ids [samples,length] for the Gram pass.
// With a seed, each window begins at a random character, as the official sampler has it (10 characters a token are
// tokenised, the first `length` tokens kept). With seed null the windows follow one another from the beginning.
// BOS stands where transformers' tokenizer puts it: before each random window, and once before the text as a whole.

import type { Tokenizer } from "../checkpoint/types.ts";
import { UserError, type ErrorParts } from "../errors.ts";
import { encodeFromStart } from "./from-start.ts";
import type { Question } from "./questions.ts";
import { seededRandom } from "./random.ts";

export interface CalibrationWindows {
  /** [samples,length], row-major. */
  ids: Int32Array;
  samples: number;
  length: number;
  /** Tokens of the questions themselves, each once. */
  textTokens: number;
  warnings: ErrorParts[];
}

const separator = "\n\n";
const charactersPerToken = 10;
const mostTokens = 2 ** 28;
/** A short text is repeated up to about this length; windows may well overlap beyond it. */
const mostRepeatedCharacters = 4_000_000;

export function calibrationWindows(
  questions: readonly Pick<Question, "question">[],
  tokenizer: Tokenizer,
  { samples, length, seed }: { samples: number; length: number; seed: number | null },
): CalibrationWindows {
  const needed = requireWindows(samples, length);
  const texts = questions.map((question) => question.question);
  const enoughCharacters = needed * charactersPerToken;
  const text = seed === null ? firstCharacters(texts, enoughCharacters) : texts.join(separator);
  const ids = encodeFromStart(text, tokenizer);
  if (text === "") throw new UserError({ what: "The calibration questions hold no text.", where: "calibrate: questions", fix: "Choose a file of questions." });

  const warnings: ErrorParts[] = [];
  let repeated = text;
  if (ids.length < needed) {
    // Each repetition adds at least as many tokens as the text has, give or take the seam.
    const times = Math.min(Math.ceil(needed / ids.length) + 1, 1 + Math.ceil(mostRepeatedCharacters / text.length));
    const random = seededRandom(seed ?? 0, 1);
    const rounds = Array.from({ length: times - 1 }, () => random.shuffle([...texts]).join(separator));
    repeated = [text, ...rounds].join(separator);
    warnings.push({
      what: `The questions hold ${ids.length} tokens, but ${samples} × ${length} = ${needed} were asked for; they are used about ${(needed / ids.length).toFixed(1)} times over, in shuffled order.`,
      where: "calibrate: samples, length",
      fix: "Give more questions, or take fewer or shorter samples.",
    });
  }
  const windows = seed === null ? consecutive(repeated === text ? ids : encodeFromStart(repeated, tokenizer), samples, length) : random(repeated, tokenizer, samples, length, seed);
  return { ids: windows, samples, length, textTokens: ids.length, warnings };
}

/** Tokens of so many windows; refuses what cannot be taken. */
export function requireWindows(samples: number, length: number): number {
  const needed = samples * length;
  if (Number.isInteger(samples) && Number.isInteger(length) && samples >= 1 && length >= 1 && needed <= mostTokens) return needed;
  throw new UserError({ what: `${samples} samples of ${length} tokens cannot be taken.`, where: "calibrate: samples, length", fix: `Choose whole numbers from 1, with a product up to ${mostTokens}.` });
}

/** Whole questions from the beginning until there are `characters`. */
function firstCharacters(texts: readonly string[], characters: number): string {
  let total = 0;
  const enough = texts.findIndex((text) => (total += text.length + separator.length) >= characters);
  return (enough < 0 ? texts : texts.slice(0, enough + 1)).join(separator);
}

function consecutive(ids: readonly number[], samples: number, length: number): Int32Array {
  return Int32Array.from({ length: samples * length }, (_, i) => ids[i % ids.length]!);
}

function random(text: string, tokenizer: Tokenizer, samples: number, length: number, seed: number): Int32Array {
  const windows = new Int32Array(samples * length);
  const generator = seededRandom(seed);
  const chunk = length * charactersPerToken;
  const lastStart = Math.max(0, text.length - chunk);
  for (let sample = 0; sample < samples; sample++) {
    const start = generator.below(lastStart + 1);
    const at = start > 0 && isLowSurrogate(text.charCodeAt(start)) ? start - 1 : start;
    windows.set(exactly(length, text, at, chunk, tokenizer), sample * length);
  }
  return windows;
}

/** `length` tokens from character `at` on: a text with long tokens takes a longer piece, and wraps at the end. */
function exactly(length: number, text: string, at: number, chunk: number, tokenizer: Tokenizer): number[] {
  for (let characters = chunk; ; characters *= 2) {
    const fromHere = text.slice(at, at + characters);
    const piece = fromHere.length < characters ? fromHere + separator + text.slice(0, characters - fromHere.length) : fromHere;
    const ids = encodeFromStart(piece, tokenizer);
    if (ids.length >= length) return ids.slice(0, length);
    if (characters >= text.length) {
      const whole = tokenizer.encode(text);
      return Array.from({ length }, (_, i) => (i < ids.length ? ids[i]! : whole[(i - ids.length) % whole.length]!));
    }
  }
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff;
}
