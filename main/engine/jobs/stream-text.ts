// Text of a growing list of tokens, piece by piece: a character that is still half there waits for its other half.
// Only the last few tokens are written out again for each new one, so a long answer costs no more a token than a short one.

import type { Tokenizer } from "../../../native-models/checkpoint/types.ts";

const halfCharacter = "\uFFFD";
/** Tokens before the new ones that are written out with them: a tokenizer may write a first token differently. */
const context = 4;

export interface TextStream {
  /** Text that token `id` completes; empty while a character is half there. */
  add(id: number): string;
  /** What is left: a character that never got its other half. */
  rest(): string;
}

export function streamText(tokenizer: Tokenizer): TextStream {
  const ids: number[] = [];
  /** Tokens whose text has been given out. */
  let given = 0;
  const take = (isLast: boolean): string => {
    const from = Math.max(0, given - context);
    const before = tokenizer.decode(ids.slice(from, given));
    const text = tokenizer.decode(ids.slice(from));
    if (text.endsWith(halfCharacter) && !isLast) return "";
    given = ids.length;
    return text.slice(before.length);
  };
  return {
    add(id) {
      ids.push(id);
      return take(false);
    },
    rest: () => take(true),
  };
}

/** The text of each token; together they are the text of all. A token that ends within a character has none: the last of that character has it. */
export function tokenTexts(tokenizer: Tokenizer, ids: readonly number[]): string[] {
  const stream = streamText(tokenizer);
  const texts = ids.map((id) => stream.add(id));
  const rest = stream.rest();
  if (texts.length > 0) texts[texts.length - 1] += rest;
  return texts;
}
