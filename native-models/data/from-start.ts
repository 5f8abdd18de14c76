// Ids of a text with which the model's context begins: after BOS where the model's tokenizer adds it, as transformers'
// tokenizer(text) has it. Plain text, the Alpaca prompt, probes and calibration are such texts; a chat template writes its
// own BOS and is encoded as it is.

import type { Tokenizer } from "../checkpoint/types.ts";

/** A text that has its BOS written out gets no second one. */
export function encodeFromStart(text: string, tokenizer: Tokenizer): number[] {
  const ids = tokenizer.encode(text);
  if (!tokenizer.addsBos || tokenizer.bosId === null || ids[0] === tokenizer.bosId) return ids;
  return [tokenizer.bosId, ...ids];
}
