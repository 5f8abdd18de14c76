// Words for votes and what they come to.

import type { Verdict, VoteTally } from "../../main/rpc/contract.ts";

export const verdictButtons: readonly { verdict: Verdict; label: string }[] = [
  { verdict: "left", label: "Left is better" },
  { verdict: "right", label: "Right is better" },
  { verdict: "tie", label: "Tie" },
  { verdict: "both-bad", label: "Both bad" },
];

export const verdictWords: Record<Verdict, string> = { left: "left is better", right: "right is better", tie: "a tie", "both-bad": "both bad" };

/** "won 5, lost 1 · 83 % (44 to 97 %) · p = 0.219" */
export function tallyLine({ won, lost, ties, bothBad, share, p }: VoteTally): string {
  const counts = [`won ${won}`, `lost ${lost}`, ...(ties > 0 ? [`${ties} tied`] : []), ...(bothBad > 0 ? [`${bothBad} both bad`] : [])].join(", ");
  if (share === null || p === null) return counts;
  const percent = (value: number): string => String(Math.round(value * 100));
  return `${counts} · ${percent(share.value)} % (${percent(share.low)} to ${percent(share.high)} %) · p\u00a0${p < 0.001 ? "<\u00a00.001" : `=\u00a0${p.toFixed(3)}`}`;
}
