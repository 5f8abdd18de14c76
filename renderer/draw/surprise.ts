// Tokens shaded by how surprised a model is by them: −ln p in nats, in steps that double.

import type { TurnSurprise } from "../../main/rpc/contract.ts";

/** Lower ends of the shades; below the first there is none. 0.7 nats: a fair coin; 8 nats: one in three thousand. */
export const shadeNats = [0.5, 1, 2, 4, 8] as const;

/** 0 (unshaded) to 5. */
export function shadeOf(nats: number): number {
  return shadeNats.filter((from) => nats >= from).length;
}

/** One or more tokens that make up whole characters. */
export interface TokenGroup {
  text: string;
  tokens: number;
  /** −ln p of the group under each subject: the sum over its tokens. */
  nats: number[];
}

/** Tokens of an answer; one that ends within a character is joined to the next. */
export function tokenGroups({ texts, nats }: TurnSurprise["answers"][number]): TokenGroup[] {
  const groups: TokenGroup[] = [];
  let open: TokenGroup | null = null;
  texts.forEach((text, t) => {
    const group: TokenGroup = open ?? { text: "", tokens: 0, nats: nats.map(() => 0) };
    open = group;
    group.text += text;
    group.tokens += 1;
    nats.forEach((row, subject) => (group.nats[subject]! += row[t]!));
    if (text === "") return;
    groups.push(group);
    open = null;
  });
  return open === null ? groups : [...groups, open];
}

/** Mean −ln p of an answer's tokens under each subject; null of an empty one. */
export function meanNats({ nats }: TurnSurprise["answers"][number]): number[] | null {
  const count = nats[0]?.length ?? 0;
  return count === 0 ? null : nats.map((row) => row.reduce((sum, value) => sum + value, 0) / count);
}

/** Whose surprise shades an answer: that of one model for all, or for each answer the other one's or its own. */
export type ShadedBy = "other" | "own" | number;

/** The subject whose surprise shades the answer of `own`. "other": the first one's, and for the first the second's. */
export function shadingSubject(by: ShadedBy, own: number): number {
  if (by === "own") return own;
  return by === "other" ? (own === 0 ? 1 : 0) : by;
}

/** e^−nats as people read it: 45 %, 0.3 %, 1 in 12 000. */
export function formatProbability(nats: number): string {
  const p = Math.exp(-nats);
  if (p >= 0.001) return `${(p * 100).toPrecision(p >= 0.9995 ? 3 : 2)} %`;
  return p > 1e-12 ? `1 in ${Number((1 / p).toPrecision(2)).toLocaleString("en").replace(/,/g, "\u2009")}` : "hardly ever";
}
