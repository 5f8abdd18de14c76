// Words for votes and what they come to.

import type { Ballot, Verdict, VoteTally } from "../../main/rpc/contract.ts";

export const verdictButtons: readonly { verdict: Verdict; label: string }[] = [
  { verdict: "left", label: "Left is better" },
  { verdict: "right", label: "Right is better" },
  { verdict: "tie", label: "Tie" },
  { verdict: "both-bad", label: "Both bad" },
];

export const verdictWords: Record<Verdict, string> = { left: "left is better", right: "right is better", tie: "a tie", "both-bad": "both bad" };

export const outcomeWords: Record<Ballot["outcome"], string> = { won: "won", lost: "lost", tie: "tied", "both-bad": "both bad" };

const percent = (value: number): string => String(Math.round(value * 100));

/** "83 % (44 to 97 %)" */
export function wonShare({ share }: VoteTally): string {
  return share === null ? "–" : `${percent(share.value)} % (${percent(share.low)} to ${percent(share.high)} %)`;
}

/** "p = 0.219" */
export function signTest({ p }: VoteTally): string {
  return p === null ? "–" : `p\u00a0${p < 0.001 ? "<\u00a00.001" : `=\u00a0${p.toFixed(3)}`}`;
}

/** "won 5, lost 1 · 83 % (44 to 97 %) · p = 0.219" */
export function tallyLine(tally: VoteTally): string {
  const { won, lost, ties, bothBad, share } = tally;
  const counts = [`won ${won}`, `lost ${lost}`, ...(ties > 0 ? [`${ties} tied`] : []), ...(bothBad > 0 ? [`${bothBad} both bad`] : [])].join(", ");
  return share === null ? counts : `${counts} · ${wonShare(tally)} · ${signTest(tally)}`;
}
