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

/** Turns of a judged question are numbered row × this + turn (main/engine/jobs/probe-turns.ts). */
const mostTurns = 10;

/** A question's place in its file, from 1; the turns of a conversation share one. */
export function questionNumber(index: number, isJudged: boolean): number {
  return (isJudged ? Math.floor(index / mostTurns) : index) + 1;
}

/** "rated 7" of 10; a judge may also have given no rating. */
export function ratingWords({ measures }: Pick<ProbeAnswer, "measures">): string {
  const { rating } = measures;
  return rating === undefined ? "not rated" : `rated ${Number(rating.toPrecision(3))}`;
}

/** "right · −1.203 nats a token · strict 1, flexible 1", or what a judge rated it */
export function factLine({ isExact, isContained, logLikelihoodNats, measures, verdict }: ProbeAnswer): string {
  if (verdict !== null) return ratingWords({ measures });
  const further = Object.entries(measures).map(([name, value]) => `${name} ${Number(value.toPrecision(3))}`);
  return [
    isExact ? "right" : isContained ? "wrong, but an accepted answer is in it" : "wrong",
    ...(Number.isFinite(logLikelihoodNats) ? [`right answer ${logLikelihoodNats.toFixed(3).replace("-", "−")} nats a token`] : []),
    ...(further.length > 0 ? [further.join(", ")] : []),
  ].join(" · ");
}
