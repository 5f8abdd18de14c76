// Text of a growing list of tokens, sent piece by piece: a character that is still half there waits for its other half.

import type { Tokenizer } from "../../../native-models/checkpoint/types.ts";

const halfCharacter = "\uFFFD";

export interface TextStream {
  update(ids: readonly number[]): void;
  /** Sends what is left. */
  finish(ids: readonly number[]): void;
}

export function streamText(tokenizer: Tokenizer, send: (text: string) => void): TextStream {
  let sent = "";
  const sendUpTo = (text: string): void => {
    if (!text.startsWith(sent) || text.length === sent.length) return;
    send(text.slice(sent.length));
    sent = text;
  };
  return {
    update(ids) {
      const text = tokenizer.decode(ids);
      if (!text.endsWith(halfCharacter)) sendUpTo(text);
    },
    finish: (ids) => sendUpTo(tokenizer.decode(ids)),
  };
}
