// Which words answers share, for marking what differs.

import { diffWordsWithSpace } from "diff";

export interface Piece {
  text: string;
  /** Not in the other answers. */
  isOwn: boolean;
}

/** Time that two whole answers may take to compare; it grows with the square of their differences. */
const limitMs = 400;
/** And two growing ones, between two of their tokens. */
export const growingLimitMs = 16;

/** Both texts in pieces; the pieces of each joined are the text itself. Nothing is marked where it would take longer than `timeout` ms. */
export function markDifferences(left: string, right: string, timeout = limitMs): { left: Piece[]; right: Piece[] } {
  const changes = diffWordsWithSpace(left, right, { timeout });
  if (changes === undefined) return { left: [{ text: left, isOwn: false }], right: [{ text: right, isOwn: false }] };
  const side = (other: "added" | "removed", own: "added" | "removed"): Piece[] =>
    changes.filter((change) => !change[other]).map((change) => ({ text: change.value, isOwn: change[own] === true && change.value.trim() !== "" }));
  return { left: side("added", "removed"), right: side("removed", "added") };
}

/** Every answer in pieces: each is marked against the first one, and the first where no other has its word. */
export function markColumns(texts: readonly string[], timeout?: number): Piece[][] {
  const [first = "", ...others] = texts;
  const pairs = others.map((other) => markDifferences(first, other, timeout));
  return [pairs.length === 0 ? [{ text: first, isOwn: false }] : ownInAll(first, pairs.map(({ left }) => left)), ...pairs.map(({ right }) => right)];
}

/** The pieces of a text where it is marked in every one of its divisions. */
function ownInAll(text: string, divisions: readonly Piece[][]): Piece[] {
  const [only] = divisions;
  if (divisions.length === 1) return only!;
  const shared = new Uint8Array(text.length);
  for (const pieces of divisions) {
    let at = 0;
    for (const piece of pieces) {
      if (!piece.isOwn) shared.fill(1, at, at + piece.text.length);
      at += piece.text.length;
    }
  }
  const pieces: Piece[] = [];
  for (let from = 0; from < text.length; ) {
    let to = from + 1;
    while (to < text.length && shared[to] === shared[from]) to++;
    const part = text.slice(from, to);
    pieces.push({ text: part, isOwn: shared[from] === 0 && part.trim() !== "" });
    from = to;
  }
  return pieces;
}
