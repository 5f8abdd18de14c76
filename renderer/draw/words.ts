// Which words two answers share, for marking what differs.

import { diffWordsWithSpace } from "diff";

export interface Piece {
  text: string;
  /** Not in the other answer. */
  isOwn: boolean;
}

/** Longer answers are not compared: it would take too long between two tokens. */
const mostCharacters = 20_000;

/** Both texts in pieces; the pieces of each joined are the text itself. */
export function markDifferences(left: string, right: string): { left: Piece[]; right: Piece[] } {
  if (left.length + right.length > mostCharacters) return { left: [{ text: left, isOwn: false }], right: [{ text: right, isOwn: false }] };
  const changes = diffWordsWithSpace(left, right);
  const side = (other: "added" | "removed", own: "added" | "removed"): Piece[] =>
    changes.filter((change) => !change[other]).map((change) => ({ text: change.value, isOwn: change[own] === true && change.value.trim() !== "" }));
  return { left: side("added", "removed"), right: side("removed", "added") };
}
