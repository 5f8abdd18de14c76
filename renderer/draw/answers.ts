// A probe's answers as lists show them.

import type { ProbeAnswer } from "../../main/rpc/contract.ts";

/** A model's raw answer from its first word, without endless white space. */
export function answerLine(answer: string): string {
  const text = answer.trim().replace(/\n{2,}/g, "\n");
  return text === "" ? "(nothing)" : text;
}

/** How much likelier the right answer became, a token: "likelihood × 1.32"; null where it is not known. */
export function changeWords(changeNats: number | null): string | null {
  if (changeNats === null) return null;
  const factor = Math.exp(changeNats);
  return `likelihood × ${factor >= 100 ? factor.toFixed(0) : factor >= 0.01 ? factor.toPrecision(3) : factor.toExponential(1)}`;
}

/** "right · −1.203 nats a token · strict 1, flexible 1 · what the judge said" */
export function factLine({ isExact, isContained, logLikelihoodNats, measures, verdict }: ProbeAnswer): string {
  const further = Object.entries(measures).map(([name, value]) => `${name} ${Number(value.toPrecision(3))}`);
  return [
    isExact ? "right" : isContained ? "wrong, but an accepted answer is in it" : "wrong",
    ...(Number.isFinite(logLikelihoodNats) ? [`right answer ${logLikelihoodNats.toFixed(3).replace("-", "−")} nats a token`] : []),
    ...(further.length > 0 ? [further.join(", ")] : []),
    ...(verdict === null ? [] : [verdict]),
  ].join(" · ");
}
